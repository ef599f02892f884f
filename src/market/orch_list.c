#include <lpd/market/orch_list.h>

#include <lpd/base/json.h>

enum lp_code lp_orch_list_read(struct lp_scope *scope, struct lp_orch_list *out, struct lp_span json, struct lp_err *e)
{
	struct lp_scope *own = lp_scope_open(NULL, "orch-list");
	struct lp_err why = { 0 };
	enum lp_code code = LP_OK;
	json_t *list;

	*out = (struct lp_orch_list){ 0 };
	if (lp_json_parse(own, &list, json, &why) != LP_OK)
		code = lp_fail(e, LP_BAD_PEER, "the list of orchestrators is no JSON: %s", lp_err_words(&why));
	else if (!json_is_array(list) || json_array_size(list) > LP_ORCH_LIST_MAX)
		code = lp_fail(e, LP_BAD_PEER, "the list of orchestrators is no JSON array of at most %d",
			       LP_ORCH_LIST_MAX);
	if (code == LP_OK)
		out->addresses = lp_new_array(scope, struct lp_span, json_array_size(list));
	for (size_t i = 0; code == LP_OK && i < json_array_size(list); i++) {
		struct lp_span address = lp_json_str(json_array_get(list, i), "address");

		if (address.len)
			out->addresses[out->n++] = lp_span_dup(scope, address);
		else
			out->skipped++;
	}
	lp_scope_close(&own);
	return code;
}
