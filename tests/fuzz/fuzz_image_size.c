/* A size is never of no pixels, and more bytes behind a header change nothing. */
#include <lpd/base/assert.h>
#include <lpd/market/request.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	uint32_t width, height, wide, high;

	if (!lp_image_size(lp_span_of(at, len), &width, &height))
		return 0;
	lp_assert(width > 0 && height > 0);
	if (lp_image_size(lp_span_of(at, len - len / 4), &wide, &high))
		lp_assert(wide == width && high == height);
	return 0;
}
