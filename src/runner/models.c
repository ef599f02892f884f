#include "models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lpd/base/err.h>

#include "catalog.h"
#include "fetch.h"

struct command {
	const char *verb, *data_dir;
	bool all, named;
	struct lp_fetch_want want;
};

const char *lp_models_folder(struct lp_scope *scope, const char *data_dir)
{
	const char *home = getenv("HOME");

	if (!data_dir || !*data_dir)
		data_dir = getenv("LP_DATA_DIR");
	if (!data_dir || !*data_dir)
		data_dir = "~/.lpd";
	if (data_dir[0] == '~' && data_dir[1] == '/' && home)
		return lp_fmt(scope, "%s/%s/models", home, data_dir + 2);
	return lp_fmt(scope, "%s/models", data_dir);
}

static bool pick(struct command *c, const char *name)
{
	const struct lp_model_row *row = lp_catalog_find(lp_span(name));

	if (!row)
		return false;
	c->named = c->want.picked[lp_catalog_index(row)] = true;
	return true;
}

/* False: *bad is what was not understood. */
static bool read_words(struct command *c, int argc, char **argv, const char **bad)
{
	for (int i = 0; i < argc; i++) {
		const char *word = argv[i];

		*bad = word;
		if (strcmp(word, "-dataDir") == 0 || strcmp(word, "--dataDir") == 0) {
			if (++i == argc)
				return false;
			c->data_dir = argv[i];
		} else if (strcmp(word, "--all") == 0 || strcmp(word, "-all") == 0) {
			c->all = true;
		} else if (!c->verb) {
			c->verb = word;
		} else if (!pick(c, word)) {
			return false;
		}
	}
	return true;
}

static const char *state_text(const struct lp_model_row *row, const char *folder)
{
	if (row->form == LP_FORM_OWN)
		return "built in";
	if (row->form == LP_FORM_SYSTEM)
		return "of the system";
	switch (lp_catalog_state(row, folder)) {
	case LP_MODEL_HERE:
		return "here";
	case LP_MODEL_MISSING:
		return "not fetched";
	case LP_MODEL_DAMAGED:
		break;
	}
	return "damaged";
}

static int list(const char *folder)
{
	int n;
	const struct lp_model_row *rows = lp_catalog(&n);

	for (int i = 0; i < n; i++) {
		const struct lp_model_row *r = &rows[i];

		printf("%-26s %-14s %-12s%s\n", r->name, r->pipeline ? r->pipeline : "(part)", state_text(r, folder),
		       r->by_default ? "" : " only by name");
		printf("    %s\n    is not %s\n", r->what, r->is_not);
		if (r->wheel)
			printf("    package %s %s\n", r->wheel->package, r->wheel->version);
		if (r->debian)
			printf("    package of the system: %s\n", r->debian);
		printf("    licence: %s\n", r->licence);
	}
	return 0;
}

static void say(void *self, const char *line)
{
	(void)self;
	puts(line);
	fflush(stdout);
}

static int fetch(struct command *c, const char *folder)
{
	int n;
	const struct lp_model_row *rows = lp_catalog(&n);
	struct lp_err e = { .code = LP_OK };

	for (int i = 0; i < n; i++) {
		bool part = strcmp(rows[i].name, "onnxruntime") == 0;	/* every network needs the engine */

		c->want.picked[i] |= c->all || (c->named ? part : rows[i].by_default);
	}
	for (int i = 0; i < n; i++) {	/* rows that others need have no needs of their own */
		for (int k = 0; k < 2 && c->want.picked[i] && rows[i].needs[k]; k++)
			c->want.picked[lp_catalog_index(lp_catalog_find(lp_span(rows[i].needs[k])))] = true;
	}
	c->want.folder = folder;
	c->want.say = say;
	if (lp_fetch(&c->want, &e) == LP_OK)
		return 0;
	fprintf(stderr, "lpd-runner: %s\n", lp_err_words(&e));
	return 1;
}

int lp_models_command(int argc, char **argv)
{
	struct lp_scope *scope = lp_scope_open(NULL, "models");
	struct command c = { .verb = NULL };
	const char *bad = "";
	int status = 1;

	if (!read_words(&c, argc, argv, &bad))
		fprintf(stderr, "lpd-runner: no model is named %s: see lpd-runner models list\n", bad);
	else if (c.verb && strcmp(c.verb, "list") == 0)
		status = list(lp_models_folder(scope, c.data_dir));
	else if (c.verb && strcmp(c.verb, "fetch") == 0)
		status = fetch(&c, lp_models_folder(scope, c.data_dir));
	else
		fprintf(stderr, "lpd models: %s%s: lpd models list|fetch [NAME...|--all] [-dataDir FOLDER]\n",
			c.verb ? "cannot do " : "list or fetch", c.verb ? c.verb : "");
	lp_scope_close(&scope);
	return status;
}
