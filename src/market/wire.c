#include "wire.h"

char *lp_wire_text(struct lp_scope *scope, struct lp_span span)
{
	return lp_strdup(scope, span);
}

Net__AuthToken *lp_wire_of_token(struct lp_scope *scope, const struct lp_auth_token *token)
{
	if (!token->present)
		return NULL;
	Net__AuthToken *to = lp_new(scope, Net__AuthToken);

	net__auth_token__init(to);
	to->token = lp_message_lend(token->token);
	to->session_id = lp_wire_text(scope, token->session_id);
	to->expiration = token->expiration;
	return to;
}

void lp_wire_to_token(struct lp_auth_token *token, const Net__AuthToken *from)
{
	*token = (struct lp_auth_token){ .present = from != NULL };
	if (!from)
		return;
	token->token = lp_message_bytes(from->token);
	token->session_id = lp_span(from->session_id);
	token->expiration = from->expiration;
}
