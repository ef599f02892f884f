/* PNG through libpng, whose errors leave by longjmp: everything it touches lives in a struct on the heap,
 * so that nothing is lost or stale when it does. */
#include "picture.h"

#include <setjmp.h>
#include <string.h>

#include <lpd/base/assert.h>
#include <png.h>

#define MAGIC "\x89PNG\r\n\x1a\n"

struct reading {
	png_structp png;
	png_infop info;
	struct lp_span rest;
	struct lp_image *im;
	uint8_t *rows;		/* w * h * 4 */
	png_bytep *row;
	int side;
	const char *why;	/* what libpng said */
	bool too_large;
};

static void on_error(png_structp png, png_const_charp words)
{
	struct reading *r = png_get_error_ptr(png);

	(void)words;		/* they may quote the file */
	r->why = r->why ? r->why : "it is damaged";
	longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp words)
{
	(void)png;
	(void)words;
}

static void on_read(png_structp png, png_bytep to, png_size_t n)
{
	struct reading *r = png_get_io_ptr(png);

	if (r->rest.len < n) {
		r->why = "it ends too early";
		png_error(png, "short");
	}
	memcpy(to, r->rest.at, n);
	r->rest = lp_span_skip(r->rest, n);
}

static void close_reading(void *arg)
{
	struct reading *r = arg;

	png_destroy_read_struct(&r->png, &r->info, NULL);
}

/* Anything becomes 8-bit RGBA. */
static void normalise(struct reading *r)
{
	png_set_expand(r->png);
	png_set_scale_16(r->png);
	png_set_gray_to_rgb(r->png);
	png_set_add_alpha(r->png, 0xff, PNG_FILLER_AFTER);
	png_set_interlace_handling(r->png);
	png_read_update_info(r->png, r->info);
}

static bool read_all(struct lp_scope *tmp, struct lp_scope *scope, struct reading *r)
{
	if (setjmp(png_jmpbuf(r->png)))
		return false;
	/* A chunk may not ask for more than this, however it inflates; text chunks are skipped. */
	png_set_user_limits(r->png, LP_IMAGE_SIDE * 16, LP_IMAGE_SIDE * 16);
	png_set_chunk_malloc_max(r->png, 4u << 20);
	png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
	png_set_read_fn(r->png, r, on_read);
	png_read_info(r->png, r->info);
	png_uint_32 w = png_get_image_width(r->png, r->info), h = png_get_image_height(r->png, r->info);

	if (w > (png_uint_32)r->side || h > (png_uint_32)r->side) {
		r->too_large = true;
		return false;
	}
	normalise(r);
	if (png_get_rowbytes(r->png, r->info) != (png_size_t)w * 4)
		png_error(r->png, "row size");
	r->im = lp_image_new(scope, (int)w, (int)h);
	r->rows = lp_new_array(tmp, uint8_t, (size_t)w * h * 4);
	r->row = lp_new_array(tmp, png_bytep, h);
	for (png_uint_32 y = 0; y < h; y++)
		r->row[y] = r->rows + (size_t)y * w * 4;
	png_read_image(r->png, r->row);
	return true;
}

static void to_floats(struct reading *r)
{
	size_t n = (size_t)r->im->w * (size_t)r->im->h;

	for (size_t i = 0; i < n; i++) {
		const uint8_t *from = r->rows + 4 * i;
		float *to = r->im->px + 4 * i, alpha = (float)from[3] / 255.0f;

		for (int c = 0; c < 3; c++)
			to[c] = (float)from[c] / 255.0f * alpha;
		to[3] = alpha;
	}
}

enum lp_code lp_png_read(struct lp_scope *scope, struct lp_image **out, struct lp_span file, int side, struct lp_err *e)
{
	struct lp_scope *tmp = lp_scope_open(NULL, "png");
	struct reading *r = lp_new(tmp, struct reading);
	enum lp_code code = LP_OK;

	lp_assert(side >= 1 && side <= LP_IMAGE_SIDE);
	r->rest = file;
	r->side = side;
	r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, r, on_error, on_warning);
	lp_assert(r->png);
	r->info = png_create_info_struct(r->png);
	lp_assert(r->info);
	lp_defer(tmp, close_reading, r);
	if (read_all(tmp, scope, r))
		to_floats(r);
	else if (r->too_large)
		code = lp_fail(e, LP_TOO_LARGE, "the picture is larger than %d x %d pixels", side, side);
	else
		code = lp_fail(e, LP_BAD_REQUEST, "the PNG file cannot be read: %s", r->why ? r->why : "it is damaged");
	*out = code == LP_OK ? r->im : NULL;
	lp_scope_close(&tmp);
	return code;
}

static void on_write(png_structp png, png_bytep at, png_size_t n)
{
	lp_buf_add(png_get_io_ptr(png), at, n);
}

/* A picture of ours has no way to fail but memory: this ends the process, so no jump is needed. */
static void on_write_error(png_structp png, png_const_charp words)
{
	(void)png;
	lp_assert_failed(words, __FILE__, __LINE__, __func__);
}

static void on_flush(png_structp png)
{
	(void)png;
}

static bool opaque(const struct lp_image *im)
{
	size_t n = (size_t)im->w * (size_t)im->h;

	for (size_t i = 0; i < n; i++) {
		if (lp_byte(im->px[4 * i + 3]) != 255)
			return false;
	}
	return true;
}

static void to_bytes(const struct lp_image *im, int y, int channels, uint8_t *to)
{
	for (int x = 0; x < im->w; x++, to += channels) {
		const float *p = lp_image_at(im, x, y);
		float alpha = lp_unit(p[3]);

		for (int c = 0; c < 3; c++)
			to[c] = alpha > 0.0f ? lp_byte(p[c] / alpha) : 0;
		if (channels == 4)
			to[3] = lp_byte(alpha);
	}
}

void lp_picture_write(struct lp_buf *to, const struct lp_image *im)
{
	struct lp_scope *tmp = lp_scope_open(NULL, "png");
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_write_error, on_warning);
	png_infop info = png ? png_create_info_struct(png) : NULL;
	int channels = opaque(im) ? 3 : 4;
	uint8_t *row = lp_new_array(tmp, uint8_t, (size_t)im->w * 4);

	lp_assert(info);
	if (setjmp(png_jmpbuf(png)))
		lp_assert_failed("libpng takes our picture", __FILE__, __LINE__, __func__);
	png_set_write_fn(png, to, on_write, on_flush);
	png_set_compression_level(png, 4);
	png_set_IHDR(png, info, (png_uint_32)im->w, (png_uint_32)im->h, 8,
		     channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_RGBA, PNG_INTERLACE_NONE,
		     PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	png_write_info(png, info);
	for (int y = 0; y < im->h; y++) {
		to_bytes(im, y, channels, row);
		png_write_row(png, row);
	}
	png_write_end(png, info);
	png_destroy_write_struct(&png, &info);
	lp_scope_close(&tmp);
}

enum lp_code lp_picture_read(struct lp_scope *scope, struct lp_image **out, struct lp_span file, int side,
			     struct lp_err *e)
{
	*out = NULL;
	if (file.len > LP_PICTURE_BYTES)
		return lp_fail(e, LP_TOO_LARGE, "the picture's file is larger than %zu MiB", LP_PICTURE_BYTES >> 20);
	if (file.len >= 8 && memcmp(file.at, MAGIC, 8) == 0)
		return lp_png_read(scope, out, file, side, e);
	if (file.len >= 3 && memcmp(file.at, "\xff\xd8\xff", 3) == 0)
		return lp_jpeg_read(scope, out, file, side, e);
	return lp_fail(e, LP_MEDIA_TYPE, "the picture is neither a PNG nor a JPEG file");
}
