/* io/grpc_frame - how gRPC writes a message, an error's words and a timeout (network-protocol 2.4).  Private to
 * grpc.c and grpc_client.c.
 *
 * A message is five bytes (a flag, a big-endian length) and its body, split anywhere. */
#ifndef LPD_IO_GRPC_FRAME_H
#define LPD_IO_GRPC_FRAME_H

#include <lpd/io/grpc.h>

#define LP_GRPC_MESSAGE_MAX (4 * 1024 * 1024)	/* grpc-go's default on both sides */
#define LP_GRPC_PREFIX 5
#define LP_GRPC_WORDS_MAX 2048			/* of a grpc-message that we send or keep */

enum lp_frame {
	LP_FRAME_MORE,		/* not whole yet */
	LP_FRAME_WHOLE,
	LP_FRAME_LARGE,
	LP_FRAME_COMPRESSED,
};

enum lp_frame lp_grpc_frame_read(struct lp_span in, size_t max, struct lp_span *message);
size_t lp_grpc_frame_length(struct lp_span in);		/* as the prefix says; at least 5 bytes */
void lp_grpc_frame_prefix(char to[LP_GRPC_PREFIX], size_t length);

/* grpc-message: percent-encoded. */
void lp_grpc_words_encode(struct lp_buf *to, const char *words);
struct lp_span lp_grpc_words_decode(struct lp_scope *scope, struct lp_span from);

/* grpc-timeout; reading it is lp_grpc_timeout. */
void lp_grpc_timeout_write(struct lp_buf *to, int64_t micros);

#endif
