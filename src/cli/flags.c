/* cli/flags - see the header. */
#include "flags.h"

#include <string.h>

static const struct lp_flag *find(const struct lp_flag *flags, const char *name, size_t len)
{
	for (const struct lp_flag *f = flags; f->name; f++)
		if (strlen(f->name) == len && memcmp(f->name, name, len) == 0)
			return f;
	return NULL;
}

/* Takes one flag; *used: further words that belonged to it. */
static enum lp_code take(const struct lp_flag *flags, const char *word, const char *next, int *used, struct lp_err *e)
{
	const char *name = word + (word[1] == '-' ? 2 : 1);
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const struct lp_flag *f = find(flags, name, len);

	*used = 0;
	if (!f)
		return lp_fail(e, LP_CONFIG, "-%.*s is no flag of this command", (int)len, name);
	if (!f->value) {
		if (equals)
			return lp_fail(e, LP_CONFIG, "-%s takes no value", f->name);
		*f->given = true;
		return LP_OK;
	}
	if (!equals && !next)
		return lp_fail(e, LP_CONFIG, "-%s needs a value", f->name);
	*f->value = equals ? equals + 1 : next;
	*used = !equals;
	return LP_OK;
}

enum lp_code lp_flags_read(struct lp_words *words, const struct lp_flag *flags, int argc, char *const *argv,
			   struct lp_err *e)
{
	int used;

	words->n = 0;
	for (int i = 0; i < argc; i++) {
		if (argv[i][0] == '-' && argv[i][1]) {
			if (take(flags, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used, e) != LP_OK)
				return e->code;
			i += used;
		} else if (words->n == LP_WORDS_MAX) {
			return lp_fail(e, LP_CONFIG, "too many words");
		} else {
			words->at[words->n++] = argv[i];
		}
	}
	return LP_OK;
}
