/* runner/ocr - reading the text in a picture by Tesseract, whose library is loaded when the system has it. */
#ifndef LPD_RUNNER_OCR_H
#define LPD_RUNNER_OCR_H

#include "image.h"
#include "stop.h"

#include <lpd/base/err.h>

struct lp_reader;

/* library: "libtesseract.so.5".  LP_UNAVAILABLE in words: no library, or no words of English. */
enum lp_code lp_reader_open(struct lp_scope *scope, struct lp_reader **out, const char *library,
			    struct lp_err *e) LP_MUST_USE;
const char *lp_reader_version(const struct lp_reader *reader);

#define LP_OCR_SECONDS 120

struct lp_read {
	struct lp_span text;	/* without blanks around it; empty: none that can be trusted */
	int sureness;		/* 0..100 */
};

struct lp_read_want {
	const struct lp_reader *reader;
	const struct lp_image *picture;
	const struct lp_stop *stop;
};

/* LP_GONE when it was stopped. */
enum lp_code lp_reader_read(struct lp_scope *scope, struct lp_read *out, const struct lp_read_want *want,
			    struct lp_err *e) LP_MUST_USE;

#endif
