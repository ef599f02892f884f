/* role/self_check - soon after an orchestrator's start: does -serviceAddr, which gateways are told, lead to it?
 * Only said in the log: behind a router that does not lead back inside, the answer may be no and all be well. */
#ifndef LPD_ROLE_SELF_CHECK_H
#define LPD_ROLE_SELF_CHECK_H

#include "orchestrator_priv.h"

void lp_self_check(struct lp_orchestrator *o);

#endif
