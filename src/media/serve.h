/* media/serve - waits for orders at a unix socket and forks for each: a process for a job. */
#ifndef LPD_MEDIA_SERVE_H
#define LPD_MEDIA_SERVE_H

#include <lpd/base/err.h>

/* Does not return while it works.  LP_CONFIG in words: the socket cannot be had. */
enum lp_code lp_serve(const char *socket_path, struct lp_err *e) LP_MUST_USE;

#endif
