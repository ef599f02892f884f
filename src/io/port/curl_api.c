#include "curl_api.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libcurl.so.4"	/* its ABI since 2006 */

static const struct {
	const char *name;
	size_t at;		/* in the table */
} places[] = {
#define PLACE(name) { "curl_" #name, offsetof(struct lp_curl_api, name) },
	LP_CURL_NAMES(PLACE)
#undef PLACE
};

/* It stays in memory once it is there: dlopen counts, and a second fetcher finds it. */
bool lp_curl_load(struct lp_curl_api *curl)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; library && i < sizeof(places) / sizeof(*places); i++) {
		void *found = dlsym(library, places[i].name);

		if (!found)
			return false;
		memcpy((char *)curl + places[i].at, &found, sizeof(found));
	}
	return library != NULL;
}
