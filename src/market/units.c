#include "units.h"

#define VIDEO_FRAMES 25 /* of an image-to-video, whatever its parameters */
#define MAX_SECONDS 1000000 /* of a recording: eleven days */
#define MAX_SIDE 32768  /* pixels: beyond it, a header lies or a decoder breaks */

/* A number that lp_request_finish has filled in and found in its range, so never negative. */
static uint64_t number(const struct lp_request *req, const char *name, uint64_t absent)
{
	const struct lp_value *value = lp_request_value(req, name);

	return value && value->i >= 0 ? (uint64_t)value->i : absent;
}

enum lp_code lp_units_asked_pixels(uint64_t *units, const struct lp_request *req, struct lp_err *e)
{
	(void)e;
	*units = number(req, "height", 512) * number(req, "width", 512) *
		 number(req, "num_images_per_prompt", 1);
	return LP_OK;
}

enum lp_code lp_units_video_pixels(uint64_t *units, const struct lp_request *req, struct lp_err *e)
{
	(void)e;
	*units = number(req, "height", 576) * number(req, "width", 1024) * VIDEO_FRAMES;
	return LP_OK;
}

enum lp_code lp_units_input_pixels(uint64_t *units, const struct lp_request *req, struct lp_err *e)
{
	uint32_t width, height;

	if (!lp_image_size(req->file.head, &width, &height)) {
		width = req->width;
		height = req->height;
	}
	if (!width || !height)
		return lp_fail(e, LP_BAD_REQUEST, "image: unknown format");
	if (width > MAX_SIDE || height > MAX_SIDE)
		return lp_fail(e, LP_BAD_REQUEST, "image: %ux%u is larger than %dx%d", width,
			       height, MAX_SIDE, MAX_SIDE);
	*units = (uint64_t)width * height;
	return LP_OK;
}

enum lp_code lp_units_input_pixels_times(uint64_t *units, const struct lp_request *req,
					 struct lp_err *e)
{
	enum lp_code code = lp_units_input_pixels(units, req, e);

	if (!code)
		*units *= number(req, "num_images_per_prompt", 1);
	return code;
}

/* Whole seconds, as the network counts (ai-http-api 6). */
enum lp_code lp_units_milliseconds(uint64_t *units, const struct lp_request *req, struct lp_err *e)
{
	int64_t seconds = req->file.milliseconds / 1000;

	if (seconds < 1 || seconds > MAX_SECONDS)
		return lp_fail(e, LP_BAD_REQUEST, "Unable to calculate duration");
	*units = (uint64_t)seconds * 1000;
	return LP_OK;
}

enum lp_code lp_units_tokens(uint64_t *units, const struct lp_request *req, struct lp_err *e)
{
	*units = number(req, "max_tokens", 0);
	return *units ? LP_OK : lp_fail(e, LP_BAD_REQUEST, "MaxTokens not specified");
}

/* The reference's gateway pays for bytes, its orchestrator charges 1000 a character (BUG-9): we
 * pay what is charged. */
enum lp_code lp_units_characters(uint64_t *units, const struct lp_request *req, struct lp_err *e)
{
	const struct lp_value *text = lp_request_value(req, "text");

	if (!text || !text->text.len)
		return lp_fail(e, LP_BAD_REQUEST, "text field is required");
	*units = 1000 * (uint64_t)lp_utf8_count(text->text);
	return LP_OK;
}

/* What a stream's first payment covers: a minute of 1280x720 at 30 a second. */
enum lp_code lp_units_live_minute(uint64_t *units, const struct lp_request *req, struct lp_err *e)
{
	(void)req;
	(void)e;
	*units = 60ULL * 30 * 1280 * 720;
	return LP_OK;
}
