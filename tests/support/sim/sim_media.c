/* The child: a runner at the socket that its node names, whose answers sim_runner.c knows. */
#include "sim_media.h"

#include <string.h>

#include <lpd/base/assert.h>

static struct sim_media_child *find(struct sim_media *m, const struct lp_process *process)
{
	for (int i = 0; i < SIM_MEDIA_CHILDREN; i++)
		if (m->children[i].process == process)
			return &m->children[i];
	return NULL;
}

/* The machine of the node that starts it: the socket is in the node's folder. */
static const char *host_of(struct sim *s, const char *path)
{
	bool found = false;

	lp_list_each(&s->nodes, n, struct sim_node, link)
		if (lp_span_starts(lp_span(path), lp_fmt(s->scope, "%s/", n->dir)))
			return n->host->name;
	lp_assert(found);
	return NULL;
}

static bool child_starts(void *self, struct lp_process *process, const struct lp_process_want *want)
{
	struct sim_media *m = self;
	struct sim_media_child *child = find(m, NULL);
	const char *listen = want->argv[2];

	if (m->barren)
		return false;
	lp_assert(child && strncmp(listen, "unix:", 5) == 0);
	m->started++;
	if (m->deaf)
		return true;
	child->process = process;
	child->runner = sim_runner_at(m->s, host_of(m->s, listen + 5), listen + 5);
	child->runner->does = m->does;
	return true;
}

static void child_stops(void *self, struct lp_process *process)
{
	struct sim_media_child *child = find(self, process);

	if (!child)
		return;
	if (child->runner->scope)
		sim_runner_stop(child->runner);
	*child = (struct sim_media_child){ 0 };
}

struct sim_media *sim_media(struct sim *s)
{
	struct sim_media *m = lp_new(s->scope, struct sim_media);
	const struct sim_children script = { child_starts, child_stops, m };

	m->s = s;
	sim_children(s->loop, &script);
	return m;
}

void sim_media_die(struct sim_media *m)
{
	for (int i = 0; i < SIM_MEDIA_CHILDREN; i++) {
		struct sim_media_child child = m->children[i];

		if (!child.process)
			continue;
		sim_runner_stop(child.runner);
		m->children[i] = (struct sim_media_child){ 0 };
		sim_child_exit(child.process, -1, 9);
	}
}

struct sim_node *sim_clip_orchestrator(struct sim *s, const char *name)
{
	static const char *const rows[] = { "text-to-image", "upscale", "llm", "audio-to-text", "image-to-video" };
	struct sim_runner *runner = sim_runner(s, lp_fmt(s->scope, "runner-of-%s", name));
	const char *text = "[";

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		text = lp_fmt(s->scope,
			      "%s%s{\"pipeline\":\"%s\",\"model_id\":\"%s\",\"url\":\"%s\",\"warm\":true,\"capacity\":2}",
			      text, i ? "," : "", rows[i], lp_pipeline_find(lp_span(rows[i]))->default_model, runner->url);
	text = lp_fmt(s->scope, "%s]", text);
	return sim_orchestrator(s, name, .runner = runner, .models = text, .args = SIM_ARGS(SIM_MEDIA));
}

static struct sim_reply *ask_file(struct sim *s, const char *path, const char *part, size_t bytes)
{
	struct lp_buf body = { 0 };
	struct sim_reply *r;

	lp_buf_fmt(&body, "--cut\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"a\"\r\n\r\n", part);
	memset(lp_buf_room(&body, bytes), 'x', bytes);
	lp_buf_grew(&body, bytes);
	lp_buf_add_text(&body, "\r\n--cut--\r\n");
	r = sim_ask_with(s, &(struct sim_ask_want){
		.path = path, .body = lp_buf_span(&body), .type = "multipart/form-data; boundary=cut" });
	lp_buf_clear(&body);
	return r;
}

struct sim_reply *sim_ask_recording(struct sim *s, size_t bytes)
{
	return ask_file(s, "audio-to-text", "audio", bytes);
}

struct sim_reply *sim_ask_video(struct sim *s)
{
	return ask_file(s, "image-to-video", "image", 1000);
}
