/* runner/picture - pictures as files: PNG in and out, JPEG in.
 *
 * Sizes are read and refused before anything is decoded, so a small file cannot become a big picture. */
#ifndef LPD_RUNNER_PICTURE_H
#define LPD_RUNNER_PICTURE_H

#include <lpd/base/buf.h>
#include <lpd/base/err.h>

#include "image.h"

#define LP_PICTURE_BYTES ((size_t)32 << 20)	/* of a file taken in */

/* By its first bytes.  LP_MEDIA_TYPE: neither PNG nor JPEG; LP_TOO_LARGE: a side above `side`;
 * LP_BAD_REQUEST: broken. */
enum lp_code lp_picture_read(struct lp_scope *scope, struct lp_image **out, struct lp_span file, int side,
			     struct lp_err *e) LP_MUST_USE;

/* PNG with 8 bits a channel, with alpha only if some pixel is not opaque. */
void lp_picture_write(struct lp_buf *to, const struct lp_image *im);

/* The two readers behind lp_picture_read. */
enum lp_code lp_png_read(struct lp_scope *scope, struct lp_image **out, struct lp_span file, int side,
			 struct lp_err *e);
enum lp_code lp_jpeg_read(struct lp_scope *scope, struct lp_image **out, struct lp_span file, int side,
			  struct lp_err *e);

#endif
