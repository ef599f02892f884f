/* runner/ncnn - a network in ncnn's two files becomes an ONNX model, so that one engine runs everything.
 *
 * Fourteen kinds of layers, enough for SPAN and Real-ESRGAN; a layer or a setting outside of what is known is
 * refused, never guessed.  Input is named "data", [1, 3, h, w]; output "output". */
#ifndef LPD_RUNNER_NCNN_H
#define LPD_RUNNER_NCNN_H

#include <lpd/base/buf.h>
#include <lpd/base/err.h>

/* param: the text file; weights: the .bin.  LP_BAD_REQUEST with the layer's number in words. */
enum lp_code lp_ncnn_to_onnx(struct lp_buf *to, struct lp_span param, struct lp_span weights,
			     struct lp_err *e) LP_MUST_USE;

#endif
