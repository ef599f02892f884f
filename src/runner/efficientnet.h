/* runner/efficientnet - EfficientNet-Lite0 out of PyTorch's file becomes an ONNX model: normalisation is folded into
 * the convolutions.  Input "data" [1, 3, 224, 224], output "output" [1, 1000, 1, 1]. */
#ifndef LPD_RUNNER_EFFICIENTNET_H
#define LPD_RUNNER_EFFICIENTNET_H

#include <lpd/base/buf.h>
#include <lpd/base/err.h>

/* LP_BAD_REQUEST in words: a tensor is missing or has another size. */
enum lp_code lp_efficientnet_to_onnx(struct lp_buf *to, struct lp_span file, struct lp_err *e) LP_MUST_USE;

#endif
