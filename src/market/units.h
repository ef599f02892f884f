/* market/units - how each kind of work is counted (ai-http-api 6).  Both sides of the network
 * count alike, or what one pays and the other charges drift apart.  For the rows of
 * market/pipeline only. */
#ifndef LPD_MARKET_UNITS_H
#define LPD_MARKET_UNITS_H

#include <lpd/market/request.h>

enum lp_code lp_units_asked_pixels(uint64_t *units, const struct lp_request *req, struct lp_err *e);
enum lp_code lp_units_video_pixels(uint64_t *units, const struct lp_request *req, struct lp_err *e);
enum lp_code lp_units_input_pixels(uint64_t *units, const struct lp_request *req, struct lp_err *e);
enum lp_code lp_units_input_pixels_times(uint64_t *units, const struct lp_request *req,
					 struct lp_err *e);
enum lp_code lp_units_milliseconds(uint64_t *units, const struct lp_request *req, struct lp_err *e);
enum lp_code lp_units_tokens(uint64_t *units, const struct lp_request *req, struct lp_err *e);
enum lp_code lp_units_characters(uint64_t *units, const struct lp_request *req, struct lp_err *e);
enum lp_code lp_units_live_minute(uint64_t *units, const struct lp_request *req, struct lp_err *e);

#endif
