/* runner/sprite - a drawn motif made ready to be put into a scene: cleaned, cut out, enlarged, coloured. */
#ifndef LPD_RUNNER_SPRITE_H
#define LPD_RUNNER_SPRITE_H

#include "enlarge.h"
#include "image.h"
#include "scene.h"

/* Loose specks go, edges become firm; four times as large, by the network when there is one (net NULL: by
 * Lanczos); cut to what is seen.  LP_GONE when it was stopped. */
enum lp_code lp_sprite_make(struct lp_scope *scope, struct lp_image **out, const struct lp_image *from,
			    const struct lp_enlarge_want *net, struct lp_err *e) LP_MUST_USE;

/* Another colour, light and shade as they were. */
void lp_sprite_colour(struct lp_image *im, enum lp_colour colour);

/* Does it end in a straight line below, as a bust does? */
bool lp_sprite_is_cut(const struct lp_image *im);

#endif
