#include "work.h"

#include <string.h>

#include <lpd/base/json.h>

#include "smollm.h"

#define MESSAGES 256
#define TOKENS 256		/* of an answer, when the request says nothing */
#define TEMPERATURE 0.7
#define EVENT 400		/* bytes of an event beside its text, at most */

struct chat {
	struct lp_job *job;
	struct lp_buf text;	/* of a plain answer */
	int prompt;
};

static const char *role_of(const json_t *message)
{
	static const char *const roles[] = { "system", "user", "assistant" };
	const char *role = json_string_value(json_object_get(message, "role"));

	for (size_t i = 0; i < 3 && role; i++) {
		if (strcmp(role, roles[i]) == 0)
			return roles[i];
	}
	return NULL;
}

static void check_messages(const json_t *list, struct lp_denial *d)
{
	size_t i;
	json_t *message;

	if (!json_array_size(list) || json_array_size(list) > MESSAGES) {
		lp_deny(d, 400, "messages must be 1 to %d", MESSAGES);
		return;
	}
	json_array_foreach(list, i, message) {
		if (!role_of(message))
			lp_deny(d, 400, "messages: the role must be system, user or assistant");
		else if (!json_is_string(json_object_get(message, "content")))
			lp_deny(d, 400, "messages: the content must be text");
	}
}

void lp_check_chat(struct lp_job *job, struct lp_denial *d)
{
	const struct lp_ask_value *v = job->ask.at;

	if (v[LP_ASK_MAX_TOKENS].given && v[LP_ASK_MAX_TOKENS].i < 1)
		lp_deny(d, 400, "max_tokens must be at least 1");
	else if (v[LP_ASK_TEMPERATURE].given && !(v[LP_ASK_TEMPERATURE].f >= 0.0 && v[LP_ASK_TEMPERATURE].f <= 2.0))
		lp_deny(d, 400, "temperature must be 0 to 2");
	else if (v[LP_ASK_TOP_P].given && !(v[LP_ASK_TOP_P].f >= 0.0 && v[LP_ASK_TOP_P].f <= 1.0))
		lp_deny(d, 400, "top_p must be 0 to 1");
	else
		check_messages(v[LP_ASK_MESSAGES].list, d);
	if (d->status == 0 && v[LP_ASK_STREAM].given && v[LP_ASK_STREAM].b)
		lp_job_streams(job, (size_t)LP_SMOLLM_PLACES * EVENT);
}

/* ---- answers ---- */

/* {"choices":[{...}],...}: `as` is message or delta; ai-runner's keys, in alphabetical order. */
struct say {
	const char *as, *finish;
	struct lp_span text;
	int tokens;
};

static void write_answer(struct lp_buf *to, const struct chat *chat, const struct say *say)
{
	const struct lp_job *job = chat->job;

	lp_buf_add_text(to, "{\"choices\":[{");
	lp_buf_fmt(to, "\"%s\":{\"content\":", say->as);
	lp_json_write_str(to, say->text);
	lp_buf_fmt(to, ",\"role\":\"assistant\"},\"finish_reason\":\"%s\",\"index\":0}],\"created\":%lld,\"id\":\"chatcmpl-%016llx\"",
		   say->finish, (long long)job->created, (unsigned long long)job->seed);
	lp_buf_fmt(to, ",\"model\":\"%s\",\"object\":\"chat.completion%s\"", job->model->row->name,
		   strcmp(say->as, "delta") == 0 ? ".chunk" : "");
	lp_buf_fmt(to, ",\"usage\":{\"completion_tokens\":%d,\"prompt_tokens\":%d,\"total_tokens\":%d}}", say->tokens,
		   chat->prompt, chat->prompt + say->tokens);
}

static void emit(const struct chat *chat, const struct say *say)
{
	struct lp_buf event = { .len = 0 };

	lp_buf_add_text(&event, "data: ");
	write_answer(&event, chat, say);
	lp_buf_add_text(&event, "\n\n");
	lp_job_emit(chat->job, lp_buf_span(&event));
	lp_buf_clear(&event);
}

static void on_text(void *self, struct lp_span text, int tokens)
{
	struct chat *chat = self;

	if (chat->job->events)
		emit(chat, &(struct say){ .as = "delta", .finish = "", .text = text, .tokens = tokens });
	else
		lp_buf_add_span(&chat->text, text);
}

static void finish(struct chat *chat, const struct lp_talked *talked)
{
	const char *why = talked->cut ? "length" : "stop";

	chat->prompt = talked->prompt_tokens;
	if (chat->job->events) {
		emit(chat, &(struct say){ .as = "delta", .finish = why, .text = LP_SPAN(""),
					  .tokens = talked->tokens });
		lp_job_emit(chat->job, LP_SPAN("data: [DONE]\n\n"));
	} else {
		write_answer(&chat->job->json, chat,
			     &(struct say){ .as = "message", .finish = why, .text = lp_buf_span(&chat->text),
								    .tokens = talked->tokens });
	}
}

/* ---- the work ---- */

static int read_messages(struct lp_said said[MESSAGES], const json_t *list)
{
	int n = (int)json_array_size(list);

	for (int i = 0; i < n; i++) {
		const json_t *message = json_array_get(list, (size_t)i), *text = json_object_get(message, "content");

		said[i] = (struct lp_said){ role_of(message),
					    lp_span_of(json_string_value(text), json_string_length(text)) };
	}
	return n;
}

enum lp_code lp_work_chat(struct lp_job *job)
{
	const struct lp_ask_value *v = job->ask.at;
	struct chat chat = { .job = job };
	struct lp_said said[MESSAGES];
	struct lp_talked talked;
	int64_t most = v[LP_ASK_MAX_TOKENS].given ? v[LP_ASK_MAX_TOKENS].i : TOKENS, top_k = v[LP_ASK_TOP_K].i;
	struct lp_talk_want want = {
		.said = said, .n_said = read_messages(said, v[LP_ASK_MESSAGES].list),
		.most = (int)(most < LP_SMOLLM_PLACES ? most : LP_SMOLLM_PLACES),
		.temperature = (float)(v[LP_ASK_TEMPERATURE].given ? v[LP_ASK_TEMPERATURE].f : TEMPERATURE),
		.top_p = v[LP_ASK_TOP_P].given ? (float)v[LP_ASK_TOP_P].f : 1.0f,
		.top_k = (int)(top_k > 0 && top_k < 1000000 ? top_k : 0), .seed = job->seed, .stop = &job->stop,
		.on_text = on_text, .self = &chat, .prompt_tokens = &chat.prompt,
	};
	enum lp_code code = lp_smollm_talk(&talked, job->model->smollm, &want, &job->err);

	if (code == LP_OK)
		finish(&chat, &talked);
	lp_buf_clear(&chat.text);
	return code;
}
