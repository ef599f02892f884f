/* Who may be paid for: the question to -remoteSignerWebhookUrl and its answer (live-and-byoc 9.2).  It is asked before
 * a ticket is made, where the node that we replace made them first (BUG-53); nothing is used up by a refusal. */
#include "remote_signer_priv.h"

#include <stdio.h>

#include <lpd/base/json.h>

#include "signer_ask.h"

/* "x-client" as Go's "X-Client". */
static void canonical(struct lp_buf *to, struct lp_span name)
{
	bool first = true;

	for (size_t i = 0; i < name.len; i++) {
		char c = name.at[i];

		lp_buf_add_char(to, first && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c);
		first = c == '-';
	}
}

static json_t *headers_json(const struct lp_exchange *ex)
{
	struct lp_headers all = lp_exchange_headers(ex);
	json_t *json = json_object();

	for (int i = 0; i < all.n; i++) {
		struct lp_span value = all.at[i].value;
		struct lp_buf name = { 0 };
		json_t *list;

		if (lp_span_is(all.at[i].name, "host") || !lp_utf8_valid(value))
			continue;
		canonical(&name, all.at[i].name);
		list = json_object_get(json, lp_buf_text(&name));
		if (!list) {
			json_object_set_new(json, lp_buf_text(&name), json_array());
			list = json_object_get(json, lp_buf_text(&name));
		}
		json_array_append_new(list, json_stringn(value.at ? value.at : "", value.len));
		lp_buf_clear(&name);
	}
	return json;
}

void lp_signer_question(struct lp_buf *to, const struct lp_exchange *ex, const struct lp_signer_state *state)
{
	json_t *headers = headers_json(ex);

	lp_buf_add_text(to, "{\"headers\":");
	lp_json_write(to, headers);
	lp_buf_add_text(to, ",\"state\":");
	lp_signer_state_write(to, state);
	lp_buf_add_char(to, '}');
	json_decref(headers);
}

static bool say_no(struct lp_signer_no *no, int status, struct lp_span reason)
{
	no->status = status;
	if (reason.len)
		lp_span_copy(no->words, sizeof(no->words), reason);
	else
		snprintf(no->words, sizeof(no->words), "signer auth rejected request with status %d", status);
	return false;
}

bool lp_signer_verdict_read(struct lp_scope *scope, struct lp_signer_verdict *out, struct lp_span body,
			    struct lp_signer_no *no)
{
	json_t *json;
	const json_t *status, *expiry;

	*out = (struct lp_signer_verdict){ 0 };
	*no = (struct lp_signer_no){ 0 };
	if (lp_json_parse(scope, &json, body, NULL) != LP_OK || !json_is_object(json))
		return say_no(no, 500, LP_SPAN("the webhook's answer is no JSON object"));
	status = lp_json_get(json, "status");
	expiry = lp_json_get(json, "expiry");
	if (!json_is_integer(status) || json_integer_value(status) < 200 || json_integer_value(status) > 599 ||
	    (expiry && !json_is_integer(expiry)))
		return say_no(no, 500, LP_SPAN("the webhook's answer has no status"));
	if (json_integer_value(status) != 200)
		return say_no(no, (int)json_integer_value(status), lp_json_str(json, "reason"));
	out->expiry = expiry ? json_integer_value(expiry) : 0;
	out->auth_id = lp_json_str(json, "auth_id");
	lp_signer_max_read(&out->max, lp_json_get(json, "maxPrice"));
	return true;
}
