/* sim/sim - a small world to test in: gateways, orchestrators, runners and app developers in one process,
 * on simulated hosts, in virtual time.  A scenario reads like a script:
 *
 *	struct sim *s = sim_new(1);
 *	struct sim_node *full = sim_orchestrator(s, "full");
 *	struct sim_node *spare = sim_orchestrator(s, "spare");
 *
 *	sim_fill(full);
 *	struct sim_reply *r = sim_ask(s, "text-to-image", PROMPT);
 *	sim_run_until_quiet(s);
 *	assert_int_equal(r->status, 200);
 *	sim_books_balance(s);
 *	sim_end(s);
 *
 * Everything that is left to chance comes from the seed.  A test that fails prints it and the last lines of
 * the nodes' logs; SIM_SEED=n runs with another, SIM_LOG=1 prints every line as it comes. */
#ifndef SIM_H
#define SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lpd/base/assert.h>
#include <lpd/io/task.h>
#include <lpd/role/node.h>

#include "sim_net.h"
#include "sim_runner.h"

/* ---- the world ---- */

struct sim {
	struct lp_scope *scope;
	struct lp_loop *loop;
	struct sim_net *net;
	struct lp_dice *dice;		/* the loop's */
	uint64_t seed;
	struct lp_list nodes, runners, replies;
	int waiting;			/* replies that are not there yet */
	struct lp_client *app;		/* on the host "app": what sim_ask asks with */
	struct lp_scope *app_scope;
	struct sim_node *gateway;	/* the first */
	struct lp_log_sink sink;
	struct lp_buf log;		/* the last lines */
	struct lp_witness witness;	/* of the seed, when a check of the nodes' own fails */
	char dir[64];
	bool loud;
};

struct sim *sim_new(uint64_t seed);		/* SIM_SEED, if set, wins */
void sim_end(struct sim *s);
/* Wraps a test: prints the seed and the log of a simulation that did not get to its end. */
int sim_after(void **state);
/* Under a sanitizer, or told by SIM_FEW (valgrind): what is repeated for good measure is repeated less. */
bool sim_few(void);
#define sim_test(f) cmocka_unit_test_teardown(f, sim_after)

void sim_run_for(struct sim *s, int64_t time);
/* Until every reply is there and no node has a job.  Fails the test after two hours of virtual time. */
void sim_run_until_quiet(struct sim *s);
/* Turn by turn until the condition holds; false: not within the time. */
bool sim_run_until(struct sim *s, bool (*holds)(void *self), void *self, int64_t time);
int64_t sim_now(const struct sim *s);

/* Every lease, slot, job, stream and byte that was taken is given back: asserted after each scenario. */
void sim_books_balance(struct sim *s);

/* ---- nodes ---- */

struct sim_node_want {
	const char *const *args;	/* further options, ended by NULL */
	struct sim_runner *runner;	/* of an orchestrator; NULL: one of its own */
	const char *models;		/* aiModels JSON; NULL: the three rows on the runner */
	const char *mode;		/* NULL: "orchestrator", "gateway" */
	int capacity;			/* of each row; 0: 1 */
	bool plain;			/* an orchestrator without TLS */
};

struct sim_node {
	struct lp_link link;
	struct sim *s;
	struct sim_host *host;
	const char *name;
	struct lp_node *node;		/* NULL: it does not run */
	struct lp_scope *scope;		/* of one life */
	struct lp_options *options;
	struct sim_runner *runner;
	struct lp_scope *filled;	/* slots that sim_fill took */
	const char *dir;
	const char **argv;
	int argc;
	size_t idle;			/* bytes of its scope when it had nothing to do */
	bool drained;
};

struct sim_node *sim_orchestrator_with(struct sim *s, const char *name, const struct sim_node_want *want);
struct sim_node *sim_gateway_with(struct sim *s, const char *name, const struct sim_node_want *want);
#define sim_orchestrator(s, name, ...) sim_orchestrator_with((s), (name), &(struct sim_node_want){ __VA_ARGS__ })
/* Knows every orchestrator there is when it is made.  sim_ask makes one when there is none. */
#define sim_gateway(s, ...) sim_gateway_with((s), "gateway", &(struct sim_node_want){ __VA_ARGS__ })
#define SIM_ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

void sim_start(struct sim_node *n);		/* (again) with the same data directory */
void sim_kill(struct sim_node *n);		/* the process ends; peers' connections are reset */
void sim_drain(struct sim_node *n);		/* n->drained when it would have exited */
void sim_fill(struct sim_node *n);		/* somebody else has all its slots */
void sim_unfill(struct sim_node *n);
/* Somebody who lies: requests for this path of the node go to the handler instead. */
void sim_replace_route(struct sim_node *n, const char *path, void (*handle)(void *self, struct lp_exchange *ex),
		       void *self);
int sim_slots_used(const struct sim_node *n);	/* without those that sim_fill took */
const struct lp_runner *sim_runner_row(const struct sim_node *n, int i);
int64_t sim_metric(const struct sim_node *n, enum lp_metric which, const char *const *labels);
/* Jobs that ended so at it, over all pipelines. */
int64_t sim_jobs(const struct sim_node *n, enum lp_code code);
struct lp_task *sim_task(const struct sim_node *n, const struct lp_machine *machine);	/* the oldest; NULL: none */

/* ---- app developers ---- */

struct sim_reply {
	struct lp_link link;
	struct sim *s;
	struct lp_scope *scope;
	struct lp_call *call;		/* NULL: over, or never begun */
	struct lp_buf body;
	int status;			/* 0: none came */
	enum lp_code failed;		/* how the call itself failed */
	bool done;
	int64_t asked_at, head_at, first_at, done_at;	/* 0: not yet */
	size_t read_most;		/* bytes read of the answer; beyond that it is left unread */
	int64_t pause;			/* between two reads of at most 4 KiB; 0: reads as it comes */
	struct lp_timer timer;
	void (*on_done)(struct sim_reply *r, void *self);
	void *self;
};

struct sim_ask_want {
	struct sim_node *gateway;	/* NULL: the first */
	const char *path;		/* "text-to-image", with a query perhaps */
	const char *url;		/* instead of gateway and path */
	struct sim_host *from;		/* NULL: the app's */
	const char *method;		/* NULL: POST */
	struct lp_span body;
	const char *type;		/* NULL: application/json */
	const struct lp_header *headers;
	int n_headers;
	size_t read_most;		/* 0: all */
	int64_t pause;
};

struct sim_reply *sim_ask_with(struct sim *s, const struct sim_ask_want *want);
struct sim_reply *sim_ask(struct sim *s, const char *path, const char *json);
/* A form with a picture of so many bytes. */
struct sim_reply *sim_ask_form(struct sim *s, const char *path, size_t picture);
struct sim_reply *sim_get(struct sim *s, struct sim_node *n, const char *path);
/* The admin pages of a node, asked from its own host. */
struct sim_reply *sim_admin(struct sim_node *n, const char *page);
/* The Livepeer-Segment of a job, with a token that was given now. */
struct lp_span sim_segment(struct lp_scope *scope, struct sim_node *o, const char *pipeline);
/* Asks an orchestrator as a gateway does, with a good token; want (may be NULL) for headers and pace. */
struct sim_reply *sim_ask_orchestrator(struct sim_node *o, const char *pipeline, const char *json,
				       const struct sim_ask_want *want);
/* The app developer goes away, or is done with the answer: r is no more. */
void sim_hang_up(struct sim_reply *r);
struct lp_span sim_header(const struct sim_reply *r, const char *name);
/* The path of the first "/stream/..." in the answer, as a C string of the reply's. */
const char *sim_media_path(struct sim_reply *r);
int sim_events(const struct sim_reply *r);	/* data: lines in the body */

#define SIM_PICTURE "{\"prompt\":\"a red fox in the snow\"}"
#define SIM_CHAT "{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}"
#define SIM_CHAT_STREAM "{\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],\"stream\":true}"

#endif
