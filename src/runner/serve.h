/* runner/serve - the ai-runner's HTTP contract (ai-http-api 3) over the built-in models. */
#ifndef LPD_RUNNER_SERVE_H
#define LPD_RUNNER_SERVE_H

#include <lpd/base/log.h>
#include <lpd/io/loop.h>

struct lp_serve_want {
	struct lp_loop *loop;
	struct lp_log *log;
	const char *listen;		/* unix:PATH or HOST:PORT */
	const char *models;		/* folder */
	const char *token;		/* bearer of the POST routes; NULL or "": none */
	/* Give up what is no longer needed: after the port is open and before anything of a model starts a thread;
	 * may be NULL. */
	void (*confine)(void *self);
	void *self;
	int threads;			/* of one job; 0: as many as there are cores for it */
	const char *pipeline, *model_id;	/* what /version tells; NULL: of the first model */
};

struct lp_serve;

/* Who connects before the models are loaded waits.  LP_CONFIG in words. */
enum lp_code lp_serve_open(struct lp_scope *scope, struct lp_serve **out, const struct lp_serve_want *want,
			   struct lp_err *e) LP_MUST_USE;
int lp_serve_port(const struct lp_serve *serve);
/* Take nothing more, stop what runs, then the loop. */
void lp_serve_stop(void *serve);

/* The command line after the program's name; the exit status. */
int lp_serve_command(int argc, char **argv);

#endif
