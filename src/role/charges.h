/* role/charges - what an orchestrator says in its answer's head that charges for the tokens it made, and not for
 * those that were asked for: of lpd, to lpd. */
#ifndef LPD_ROLE_CHARGES_H
#define LPD_ROLE_CHARGES_H

#define LP_CHARGES_HEADER "lp-charges"
#define LP_CHARGES_TOKENS "tokens"

#endif
