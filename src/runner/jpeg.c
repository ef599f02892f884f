/* JPEG through libjpeg; as in png.c, everything lives on the heap because errors leave by longjmp. */
#include "picture.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <lpd/base/assert.h>

/* A progressive file may hold hundreds of scans that each cost a walk over the whole picture. */
#define SCANS 60

struct reading {
	struct jpeg_decompress_struct jpeg;
	struct jpeg_error_mgr errors;
	struct jpeg_progress_mgr progress;
	jmp_buf out;
	struct lp_image *im;
	JSAMPLE *row;
	int side;
	bool too_large, too_many;
};

static void on_error(j_common_ptr jpeg)
{
	struct reading *r = jpeg->client_data;

	longjmp(r->out, 1);
}

static void on_message(j_common_ptr jpeg, int level)
{
	(void)jpeg;
	(void)level;
}

static void on_progress(j_common_ptr jpeg)
{
	struct reading *r = jpeg->client_data;

	if (r->jpeg.input_scan_number > SCANS) {
		r->too_many = true;
		longjmp(r->out, 1);
	}
}

static void close_reading(void *arg)
{
	struct reading *r = arg;

	jpeg_destroy_decompress(&r->jpeg);
}

static void keep_row(struct reading *r, int y)
{
	for (int x = 0; x < r->im->w; x++) {
		float *to = lp_image_at(r->im, x, y);

		for (int c = 0; c < 3; c++)
			to[c] = (float)r->row[3 * x + c] / 255.0f;
		to[3] = 1.0f;
	}
}

static bool read_all(struct lp_scope *tmp, struct lp_scope *scope, struct reading *r, struct lp_span file)
{
	if (setjmp(r->out))
		return false;
	jpeg_create_decompress(&r->jpeg);	/* keeps err and client_data */
	lp_defer(tmp, close_reading, r);
	r->jpeg.progress = &r->progress;
	r->jpeg.mem->max_memory_to_use = 256L << 20;	/* all coefficients of a progressive one */
	jpeg_mem_src(&r->jpeg, (const unsigned char *)file.at, (unsigned long)file.len);
	jpeg_read_header(&r->jpeg, TRUE);
	if (r->jpeg.image_width > (JDIMENSION)r->side || r->jpeg.image_height > (JDIMENSION)r->side) {
		r->too_large = true;
		return false;
	}
	r->jpeg.out_color_space = JCS_RGB;
	jpeg_start_decompress(&r->jpeg);
	if (r->jpeg.output_components != 3)
		return false;
	r->im = lp_image_new(scope, (int)r->jpeg.output_width, (int)r->jpeg.output_height);
	r->row = lp_new_array(tmp, JSAMPLE, (size_t)r->jpeg.output_width * 3);
	while (r->jpeg.output_scanline < r->jpeg.output_height) {
		int y = (int)r->jpeg.output_scanline;

		jpeg_read_scanlines(&r->jpeg, &r->row, 1);
		keep_row(r, y);
	}
	return true;
}

enum lp_code lp_jpeg_read(struct lp_scope *scope, struct lp_image **out, struct lp_span file, int side,
			  struct lp_err *e)
{
	struct lp_scope *tmp = lp_scope_open(NULL, "jpeg");
	struct reading *r = lp_new(tmp, struct reading);
	enum lp_code code = LP_OK;

	lp_assert(side >= 1 && side <= LP_IMAGE_SIDE);
	r->side = side;
	r->jpeg.client_data = r;
	r->jpeg.err = jpeg_std_error(&r->errors);
	r->errors.error_exit = on_error;
	r->errors.emit_message = on_message;
	r->progress.progress_monitor = on_progress;
	if (!read_all(tmp, scope, r, file)) {
		if (r->too_large)
			code = lp_fail(e, LP_TOO_LARGE, "the picture is larger than %d x %d pixels", side, side);
		else
			code = lp_fail(e, LP_BAD_REQUEST, "the JPEG file cannot be read: it %s",
				       r->too_many ? "has too many scans" : "is damaged or of an unknown kind");
	}
	*out = code == LP_OK ? r->im : NULL;
	lp_scope_close(&tmp);
	return code;
}
