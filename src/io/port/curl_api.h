/* io/curl_api - the part of libcurl that io/fetch uses, brought in when the first fetcher opens.
 *
 * Most nodes fetch nothing, and libcurl comes with GnuTLS, Kerberos and LDAP: linked like the other libraries it
 * is 4 MB of every node's memory and a few milliseconds of its start. */
#ifndef LPD_IO_CURL_API_H
#define LPD_IO_CURL_API_H

#include <stdbool.h>

#include <curl/curl.h>

#define LP_CURL_NAMES(X) \
	X(global_init) X(global_cleanup) \
	X(easy_init) X(easy_cleanup) X(easy_setopt) X(easy_getinfo) X(easy_strerror) \
	X(multi_init) X(multi_cleanup) X(multi_setopt) X(multi_add_handle) X(multi_remove_handle) \
	X(multi_assign) X(multi_info_read) X(multi_socket_action) \
	X(slist_append) X(slist_free_all)

/* curl->easy_init() is curl_easy_init(), and so on. */
struct lp_curl_api {
#define LP_CURL_MEMBER(name) __typeof__(curl_##name) *name;
	LP_CURL_NAMES(LP_CURL_MEMBER)
#undef LP_CURL_MEMBER
};

/* False: libcurl is not installed, or is one that lacks something; nothing of the table may be called. */
bool lp_curl_load(struct lp_curl_api *curl);

#endif
