/* market/openapi, in two files: openapi.c makes what follows from the rows of pipelines, openapi_shared.c holds what all
 * of them share, and the paths that are no pipelines. */
#ifndef LPD_MARKET_OPENAPI_PRIV_H
#define LPD_MARKET_OPENAPI_PRIV_H

#include <lpd/base/json.h>

/* Each is a new tree; the caller owns it. */
json_t *lp_openapi_parameters(void);	/* of components */
json_t *lp_openapi_headers(void);	/* of components */
json_t *lp_openapi_paths(void);		/* jobs, results, documents */
json_t *lp_openapi_job_parameters(void);	/* of every pipeline's request: a list of references */
json_t *lp_openapi_job_headers(void);	/* of every pipeline's answer */
json_t *lp_openapi_accepted(void);	/* the answer to Prefer: respond-async */
json_t *lp_openapi_job_schemas(void);	/* of components */

#endif
