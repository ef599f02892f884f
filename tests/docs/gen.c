/* docs_gen - writes docs/generated/ from the tables in the program: docs_gen FOLDER.
 *
 * Each document is a function below; what it prints comes from the same rows that the program runs on. */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <lpd/io/task.h>
#include <lpd/market/pipeline.h>
#include <lpd/options/options.h>

static void write_errors(FILE *to)
{
	fputs("# Errors\n\n"
	      "Every way things go wrong, from `include/lpd/base/errors.def`. `code` is stable and stands in error\n"
	      "bodies, logs and metrics; `status` is what a client of ours is answered; `fault` is whose it is;\n"
	      "`next` is what a gateway does when an orchestrator's part of a job ends so.\n\n"
	      "| code | status | fault | next | words |\n|---|---|---|---|---|\n", to);
#define X(NAME, code, status, fault, next, words) \
	fprintf(to, "| `%s` | %d | %s | %s | %s |\n", code, status, #fault, #next, words);
#include <lpd/base/errors.def>
#undef X
}

/* The names that begin so, or those that do not. */
static void write_metric_rows(FILE *to, bool incumbents)
{
	fputs("| name | kind | labels | what it says |\n|---|---|---|---|\n", to);
#define X(NAME, name, kind, labels, help) \
	if ((strncmp(name, "livepeer_", 9) == 0) == incumbents) \
		fprintf(to, "| `%s` | %s | %s | %s |\n", name, #kind, labels, help);
#include <lpd/base/metrics.def>
#undef X
}

static void write_metrics(FILE *to)
{
	fputs("# Metrics\n\n"
	      "Every counter, gauge and histogram of `/metrics` on the admin address, from\n"
	      "`include/lpd/base/metrics.def`. SECONDS is a histogram, NUMBER a gauge with a fraction. A metric has at most\n"
	      "2,000 series: what comes then counts as `other`. Counts begin at 0 with the process.\n\n", to);
	write_metric_rows(to, false);
	fputs("\n## Names of go-livepeer\n\n"
	      "For dashboards that know them; the names above say more. `node_type` is `bctr` for a gateway and `orch` for an\n"
	      "orchestrator, as there. `node_id` is not given: Prometheus' own `instance` tells nodes apart. A model that\n"
	      "nobody offers is `other`. What is not in this list (payments, live video) lpd has nothing to say of yet.\n\n", to);
	write_metric_rows(to, true);
}

static void write_options(FILE *to)
{
	struct lp_buf text = { .len = 0 };

	lp_options_doc(&text);
	fwrite(text.mem + text.off, 1, text.len, to);
	lp_buf_clear(&text);
}

extern const struct lp_machine lp_gateway_machine, lp_machine_orchestrator_job, lp_machine_runner_watch;

static const struct lp_machine *const machines[] = {
	&lp_gateway_machine, &lp_machine_orchestrator_job, &lp_machine_runner_watch,
};

static void write_states(FILE *to)
{
	struct lp_buf text = { .len = 0 };

	fputs("# State machines\n\n"
	      "The tables that the program runs on (`lp_machine`), as they are. A step may name only the states that its\n"
	      "row lists; the driver stops the process when one names another. Drawings: `docs/architecture.md`.\n\n", to);
	for (size_t i = 0; i < sizeof(machines) / sizeof(*machines); i++) {
		lp_machine_doc(machines[i], &text);
		lp_buf_add_char(&text, '\n');
	}
	fwrite(text.mem + text.off, 1, text.len, to);
	lp_buf_clear(&text);
}

/* One member a line, so that a change shows as one. */
static void write_openapi(FILE *to)
{
	struct lp_buf text = { .len = 0 };
	json_t *json;

	lp_pipelines_openapi(&text);
	json = json_loadb(text.mem + text.off, text.len, 0, NULL);
	lp_buf_clear(&text);
	if (!json || json_dumpf(json, to, JSON_INDENT(2) | JSON_SORT_KEYS))
		fputs("not JSON", to);
	fputc('\n', to);
	json_decref(json);
}

static const struct document {
	const char *file;
	void (*write)(FILE *to);
} documents[] = {
	{ "errors.md", write_errors },
	{ "metrics.md", write_metrics },
	{ "options.md", write_options },
	{ "states.md", write_states },
	{ "openapi.json", write_openapi },
};

int main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("docs_gen FOLDER\n", stderr);
		return 1;
	}
	for (size_t i = 0; i < sizeof(documents) / sizeof(*documents); i++) {
		char path[4096];
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", argv[1], documents[i].file);
		file = fopen(path, "w");
		if (!file) {
			perror(path);
			return 1;
		}
		if (strstr(path, ".md"))
			fputs("<!-- Written by ./dev docs; edit the tables, not this. -->\n", file);
		documents[i].write(file);
		if (fclose(file)) {
			perror(path);
			return 1;
		}
	}
	return 0;
}
