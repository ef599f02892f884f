/* Points, labels and a box of any bytes: three texts with a zero byte between them. */
#include <stdint.h>
#include <string.h>

#include "mask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lp_span rest = lp_span_of(data, size);
	struct lp_mask_text text = { .w = 12, .h = 9 };
	struct lp_mask_prompt prompt;
	float plane[12 * 9];

	text.points = lp_span_cut(&rest, '\0');
	text.labels = lp_span_cut(&rest, '\0');
	text.box = rest;
	text.fractions = size & 1;
	if (lp_mask_prompt_read(&prompt, &text, NULL) != LP_OK)
		return 0;
	for (int i = 0; i < 12 * 9; i++)
		plane[i] = i * 7 % 10 < 6 ? 1.0f : 0.0f;
	if (prompt.n_points)
		lp_mask_keep(plane, text.w, text.h, &prompt);
	return 0;
}
