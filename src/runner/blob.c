/* The model's two files, built into the executable: one file to deploy, nothing to lose. */
#include "flow.h"

#ifndef LP_FLOW_FOLDER
#error "LP_FLOW_FOLDER names the folder of weights.bin and tokens.txt"
#endif

#define EMBED(name, file)                                       \
	__asm__(".section .rodata\n"                            \
		".balign 64\n"                                  \
		".global " #name "\n"                           \
		".hidden " #name "\n" #name ":\n"               \
		".incbin \"" LP_FLOW_FOLDER "/" file "\"\n"     \
		".global " #name "_end\n"                       \
		".hidden " #name "_end\n" #name "_end:\n"       \
		".byte 0\n"                                     \
		".previous\n")

EMBED(lp_blob_weights, "weights.bin");
EMBED(lp_blob_tokens, "tokens.txt");

extern const char lp_blob_weights[], lp_blob_weights_end[], lp_blob_tokens[], lp_blob_tokens_end[];

struct lp_span lp_flow_weights(void)
{
	return lp_span_of(lp_blob_weights, (size_t)(lp_blob_weights_end - lp_blob_weights));
}

struct lp_span lp_flow_tokens(void)
{
	return lp_span_of(lp_blob_tokens, (size_t)(lp_blob_tokens_end - lp_blob_tokens));
}
