/* role/pair - see the header. */
#include "pair.h"

#include <lpd/io/file.h>

#define PEM_MAX (1 << 20)

static enum lp_code readable(struct lp_node *node, const char *path, const char *flags, struct lp_err *e)
{
	struct lp_span ignored;
	struct lp_err why;

	if (lp_file_read(node->scope, &ignored, path, PEM_MAX, &why) == LP_OK)
		return LP_OK;
	return lp_fail(e, LP_CONFIG, "%s: %s", flags, lp_err_words(&why));
}

enum lp_code lp_pair_check(struct lp_node *node, const char *cert, const char *key, const char *flags,
			   struct lp_err *e)
{
	if (!*cert && !*key)
		return LP_OK;
	if (!*cert || !*key)
		return lp_fail(e, LP_CONFIG, "%s go together", flags);
	if (readable(node, cert, flags, e) != LP_OK)
		return e->code;
	return readable(node, key, flags, e);
}
