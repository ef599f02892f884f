/* A prompt and a negative prompt of any bytes. */
#include <stdint.h>

#include "scene.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lp_span negative = lp_span_of(data, size), prompt = lp_span_cut(&negative, '\n');
	struct lp_scene scene;

	lp_scene_read(&scene, prompt, negative);
	return 0;
}
