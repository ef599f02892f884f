/* role/node - everything that one lpd instance owns, so that a test can hold five of them.
 *
 * Only the roles, the subcommands and main see it; the parts are handed what they need. */
#ifndef LPD_ROLE_NODE_H
#define LPD_ROLE_NODE_H

#include <lpd/base/log.h>
#include <lpd/base/metric.h>
#include <lpd/base/random.h>
#include <lpd/front/media.h>
#include <lpd/io/client.h>
#include <lpd/io/loop.h>
#include <lpd/io/router.h>
#include <lpd/io/server.h>
#include <lpd/io/timer.h>
#include <lpd/options/options.h>
#include <lpd/role/upkeep.h>
#include <lpd/run/clip.h>
#include <lpd/run/runner.h>

struct lp_db;
struct lp_money;
struct lp_gateway;
struct lp_orchestrator;
struct lp_remote_signer;
struct lp_admin;

struct lp_node {
	struct lp_scope *scope;
	struct lp_loop *loop;
	struct lp_log *log;
	struct lp_log_sink *sink;	/* of the log, whose level the operator may change; NULL: he may not */
	struct lp_metrics *metrics;
	const struct lp_options *options;
	const char *data_dir;
	struct lp_dice dice, ids;	/* of choices; of names for spans and traces */
	struct lp_client *client;	/* job path */
	struct lp_media *media;
	struct lp_clips *clips;		/* lpd-media */
	struct lp_db *db;		/* lpd.db; NULL: no role keeps anything */
	struct lp_money *money;		/* NULL: offchain, nothing is paid */
	struct lp_gateway *gateway;	/* NULL: not this role */
	struct lp_orchestrator *orchestrator;
	struct lp_remote_signer *signer;
	struct lp_admin *admin;
	int jobs;			/* running now, all roles: draining waits for 0 */
	int max_jobs;			/* of one role */
	bool draining;
	const struct lp_role *roles[4];	/* ended by NULL */
	struct lp_upkeep upkeep;
	struct lp_timer drain_timer;
	int64_t drain_until;		/* mono */
	int64_t started;		/* mono */
};

/* Opens what all roles share, then each role that -mode names.  LP_CONFIG in words: exit 1. */
struct lp_node_want {
	struct lp_loop *loop;
	struct lp_log *log;
	struct lp_log_sink *sink;	/* may be NULL */
	const struct lp_options *options;
	uint64_t seed;			/* of the dice; 0: random */
};
enum lp_code lp_node_open(struct lp_scope *scope, struct lp_node **out, const struct lp_node_want *want,
			  struct lp_err *e) LP_MUST_USE;
/* Whether a node of these options would start, as far as options and files say: nothing is opened or made.  Adds what
 * it would do, in lines.  LP_CONFIG: the first fault. */
enum lp_code lp_node_check(struct lp_scope *scope, const struct lp_options *options, struct lp_log *log,
			   struct lp_buf *told, struct lp_err *e) LP_MUST_USE;
/* May one more job begin, of a role that carries so many?  Asked before anything of its body is read. */
enum lp_code lp_node_admit(const struct lp_node *node, int jobs, struct lp_err *e) LP_MUST_USE;
/* Take no more, finish what runs (at most -drainTimeout), then stop the loop. */
void lp_node_drain(struct lp_node *node);
/* SIGHUP: certificates, models, and the limits that options say; options (NULL: as before) must outlive the node. */
void lp_node_reload(struct lp_node *node, const struct lp_options *options);

/* One role: what node.c and admin.c need to know of it.  All but name and open may be NULL. */
struct lp_role {
	const char *name;		/* as -mode names it */
	enum lp_code (*open)(struct lp_node *node, struct lp_err *e);
	/* Would it open?  Reads options and files only; the node has no loop.  Adds lines for the operator. */
	enum lp_code (*check)(struct lp_node *node, struct lp_buf *told, struct lp_err *e);
	void (*drain)(struct lp_node *node);
	void (*reload)(struct lp_node *node);				/* SIGHUP; node->options may be others */
	int (*connections)(const struct lp_node *node);			/* still open: draining waits for them */
	bool (*ready)(struct lp_node *node, struct lp_buf *why);	/* false: why, in words, is added */
	void (*status)(struct lp_node *node, struct lp_buf *json);	/* adds one JSON object */
	void (*measure)(struct lp_node *node);				/* sets the gauges that nobody keeps */
};
extern const struct lp_role lp_role_gateway, lp_role_orchestrator, lp_role_remote_signer;

/* Routes of -cliAddr (on loopback only): pages, and calls of role/admin_calls.  Opened when the option is given. */
enum lp_code lp_admin_open(struct lp_node *node, struct lp_err *e) LP_MUST_USE;
/* Ports that were bound, when 0 was asked for. */
uint16_t lp_admin_port(const struct lp_admin *admin);
uint16_t lp_gateway_port(const struct lp_gateway *gateway);

#endif
