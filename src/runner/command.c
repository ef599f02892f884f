/* The command that lpd starts: lpd-runner -listen unix:PATH -dataDir FOLDER. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lpd/io/sandbox.h>

#include "crew.h"
#include "models.h"
#include "sandbox.h"
#include "serve.h"

struct command {
	const char *listen, *data_dir;
	int threads;
	enum lp_level level;
	const char *models;
	struct lp_sandbox sandbox;
};

static const char *value_of(int argc, char **argv, int *i, const char *name)
{
	const char *word = argv[*i];
	size_t n = strlen(name);

	word += word[0] == '-' && word[1] == '-' ? 2 : 1;
	if (strncmp(word, name, n) != 0)
		return NULL;
	if (word[n] == '=')
		return word + n + 1;
	if (word[n] || *i + 1 == argc)
		return NULL;
	return argv[++*i];
}

/* auto, or how many. */
static bool read_threads(const char *value, int *to)
{
	*to = value[0] - '0';
	return strcmp(value, "auto") == 0 ? !(*to = 0) : *to >= 1 && *to <= LP_CREW_MOST && !value[1];
}

static bool read_words(struct command *c, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		const char *value;

		if (argv[i][0] != '-')
			return false;
		if ((value = value_of(argc, argv, &i, "listen")))
			c->listen = value;
		else if ((value = value_of(argc, argv, &i, "dataDir")))
			c->data_dir = value;
		else if ((value = value_of(argc, argv, &i, "threads")) ? !read_threads(value, &c->threads) :
			 !(value = value_of(argc, argv, &i, "logLevel")) || !lp_level_parse(lp_span(value), &c->level))
			return false;
	}
	return c->listen != NULL;
}

/* Before any thread: those of the pool start with the first job, those of the networks when they are loaded. */
static void confine(void *self)
{
	struct command *c = self;

	lp_sandbox_enter(&c->sandbox, c->models);
}

static int run(struct lp_scope *scope, struct command *c, struct lp_log *log)
{
	struct lp_serve_want want = {
		.loop = lp_loop_open(scope), .log = log, .listen = c->listen, .models = c->models,
		.confine = confine, .self = c, .threads = c->threads, .token = getenv("AUTH_TOKEN"),
		.pipeline = getenv("PIPELINE"), .model_id = getenv("MODEL_ID"),
	};
	struct lp_serve *serve;
	struct lp_err e;

	if (lp_serve_open(scope, &serve, &want, &e) != LP_OK) {
		fprintf(stderr, "lpd-runner: %s\n", lp_err_words(&e));
		return 1;
	}
	lp_loop_on_signal(want.loop, LP_SIGNAL_STOP, lp_serve_stop, serve);
	lp_log_kv(log, LP_INFO, "ready", "listen", c->listen, "version", LPD_VERSION, "files",
		  c->sandbox.files ? "restricted" : "as the user", "calls", c->sandbox.calls ? "restricted" : "all",
		  NULL);
	lp_loop_run(want.loop);
	return 0;
}

int lp_serve_command(int argc, char **argv)
{
	struct lp_scope *scope = lp_scope_open(NULL, "runner");
	struct command c = { .level = LP_INFO };
	struct lp_log_sink sink;
	int status = 1;

	if (!read_words(&c, argc, argv)) {
		fputs("usage: lpd-runner -listen unix:PATH|HOST:PORT [-dataDir FOLDER] [-threads N|auto] "
		      "[-logLevel LEVEL]\n", stderr);
	} else if (lp_span_starts(lp_span(c.listen), "unix:") && !lp_sandbox_follow_parent()) {
		fputs("lpd-runner: whoever started it has ended\n", stderr);
		status = 1;
	} else {
		lp_log_to_fd(&sink, 2, c.level);
		c.models = lp_models_folder(scope, c.data_dir);
		status = run(scope, &c, lp_log_open(scope, &sink));
	}
	lp_scope_close(&scope);
	return status;
}
