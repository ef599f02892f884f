/* URLs, header values, percent encoding, media types and status texts. */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include <lpd/base/hex.h>
#include <lpd/io/http.h>

#define URL_MAX 8192
#define HOST_MAX 255
#define UNIX_PATH_MAX 107	/* sun_path less its zero byte */

struct lp_span lp_headers_find(struct lp_headers headers, const char *name)
{
	size_t len = strlen(name);

	for (int i = 0; i < headers.n; i++) {
		const struct lp_header *h = &headers.at[i];
		if (h->name.len == len && memcmp(h->name.at, name, len) == 0)
			return h->value.at ? h->value : lp_span("");
	}
	return (struct lp_span){ NULL, 0 };
}

/* ---- values with parameters: type; name=value; name="va\"lue" ---- */

bool lp_media_is(struct lp_span content_type, const char *type)
{
	return lp_span_is_icase(lp_span_trim(lp_span_cut(&content_type, ';')), type);
}

static struct lp_span skip_blanks(struct lp_span s)
{
	while (s.len && (*s.at == ' ' || *s.at == '\t'))
		s = lp_span_skip(s, 1);
	return s;
}

/* *rest stands behind the opening quote, and is moved behind the closing one (or to the end).  As it stands there:
 * nothing is copied, since a header may hold thousands of these that nobody asks for. */
static struct lp_span skip_quoted(struct lp_span *rest)
{
	struct lp_span raw = { rest->at, 0 };

	while (raw.len < rest->len && rest->at[raw.len] != '"')
		raw.len += rest->at[raw.len] == '\\' && raw.len + 1 < rest->len ? 2 : 1;
	*rest = lp_span_skip(*rest, raw.len + 1);
	return raw;
}

static struct lp_span skip_token(struct lp_span *rest)
{
	size_t len = 0;

	while (len < rest->len && rest->at[len] != ';')
		len++;
	struct lp_span raw = lp_span_trim(lp_span_of(rest->at, len));
	*rest = lp_span_skip(*rest, len);
	return raw;
}

static struct lp_span unquote(struct lp_scope *scope, struct lp_span raw)
{
	char *to = lp_alloc(scope, raw.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < raw.len; i++) {
		if (raw.at[i] == '\\' && i + 1 < raw.len)
			i++;
		to[len++] = raw.at[i];
	}
	return lp_span_of(to, len);
}

struct lp_span lp_header_param(struct lp_scope *scope, struct lp_span value, const char *name)
{
	struct lp_span rest = value;

	lp_span_cut(&rest, ';');
	while (rest.len) {
		size_t eq = 0;
		while (eq < rest.len && rest.at[eq] != '=' && rest.at[eq] != ';')
			eq++;
		struct lp_span key = lp_span_trim(lp_span_of(rest.at, eq));
		bool has_value = eq < rest.len && rest.at[eq] == '=';
		bool quoted = false;
		struct lp_span raw = { NULL, 0 };
		rest = lp_span_skip(rest, eq + (has_value ? 1 : 0));
		if (has_value) {
			rest = skip_blanks(rest);
			quoted = rest.len && *rest.at == '"';
			if (quoted)
				rest = lp_span_skip(rest, 1);
			raw = quoted ? skip_quoted(&rest) : skip_token(&rest);
		}
		if (has_value && lp_span_is_icase(key, name))
			return quoted ? unquote(scope, raw) : lp_span_dup(scope, raw);
		lp_span_cut(&rest, ';');
	}
	return (struct lp_span){ NULL, 0 };
}

/* ---- percent encoding ---- */

/* The byte at s.at[i], which is '%'; -1: no two digits follow. */
static int escaped_byte(struct lp_span s, size_t i)
{
	if (s.len - i < 3)
		return -1;
	int high = lp_hex_digit(s.at[i + 1]), low = lp_hex_digit(s.at[i + 2]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static struct lp_span decode(struct lp_scope *scope, struct lp_span text, bool form)
{
	char *to = lp_alloc(scope, text.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		int c = (unsigned char)text.at[i];
		if (c == '%') {
			c = escaped_byte(text, i);
			i += 2;
		} else if (form && c == '+') {
			c = ' ';
		}
		if (c <= 0)
			return (struct lp_span){ NULL, 0 };
		to[len++] = (char)c;
	}
	return lp_span_of(to, len);
}

struct lp_span lp_percent_decode(struct lp_scope *scope, struct lp_span text)
{
	return decode(scope, text, false);
}

struct lp_span lp_query_get(struct lp_scope *scope, struct lp_span query, const char *name)
{
	while (query.len) {
		struct lp_span value = lp_span_cut(&query, '&');
		struct lp_span key = lp_span_cut(&value, '=');
		if (!lp_span_is(decode(scope, key, true), name))
			continue;
		return decode(scope, value, true);
	}
	return (struct lp_span){ NULL, 0 };
}

/* ---- URLs ---- */

/* What may stand in a URL as sent: printable ASCII without blanks, escapes well-formed.  All else would
 * have to be escaped by whoever made it, and could split a request line. */
static bool clean(struct lp_span text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		if (c <= ' ' || c > '~' || strchr("\"<>\\^`{|}", c))
			return false;
		if (c == '%' && escaped_byte(text, i) < 0)
			return false;
	}
	return true;
}

static bool is_name(struct lp_span host)
{
	if (!host.len || host.len > HOST_MAX)
		return false;
	for (size_t i = 0; i < host.len; i++) {
		char c = host.at[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
		if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '.' && c != '_')
			return false;
	}
	return true;
}

static struct lp_span lower(struct lp_scope *scope, struct lp_span s)
{
	char *to = lp_strdup(scope, s);

	for (size_t i = 0; i < s.len; i++) {
		if (to[i] >= 'A' && to[i] <= 'Z')
			to[i] = (char)(to[i] - 'A' + 'a');
	}
	return lp_span_of(to, s.len);
}

/* One spelling of an IPv6 address; at == NULL when it is none.  No zones: they mean nothing to a peer. */
static struct lp_span read_ipv6(struct lp_scope *scope, struct lp_span text)
{
	struct in6_addr addr;
	char name[INET6_ADDRSTRLEN];

	if (!lp_span_copy(name, sizeof(name), text) || inet_pton(AF_INET6, name, &addr) != 1)
		return (struct lp_span){ NULL, 0 };
	inet_ntop(AF_INET6, &addr, name, sizeof(name));
	return lp_span_dup(scope, lp_span(name));
}

static bool read_port(struct lp_span text, uint16_t *port)
{
	uint64_t n;

	if (text.len > 5 || !lp_span_u64(text, &n) || n > UINT16_MAX)
		return false;
	*port = (uint16_t)n;
	return true;
}

/* host[:port], [v6][:port] or bare v6 into url, whose port already is the default.  NULL or what is wrong. */
static const char *read_authority(struct lp_scope *scope, struct lp_url *url, struct lp_span text)
{
	ptrdiff_t colon;
	struct lp_span port = { NULL, 0 };

	if (lp_span_find(text, LP_SPAN("@")) >= 0)
		return "user names in addresses are not taken";
	if (lp_span_starts(text, "[")) {
		ptrdiff_t end = lp_span_find(text, LP_SPAN("]"));
		if (end < 0)
			return "a bracket is not closed";
		url->host = read_ipv6(scope, lp_span_of(text.at + 1, (size_t)end - 1));
		port = lp_span_skip(text, (size_t)end + 1);
		if (!url->host.at || (port.len && *port.at != ':'))
			return "no IPv6 address stands in the brackets";
	} else if ((url->host = read_ipv6(scope, text)).at) {
		return NULL;
	} else {
		colon = lp_span_find(text, LP_SPAN(":"));
		struct lp_span host = colon < 0 ? text : lp_span_of(text.at, (size_t)colon);
		if (host.len && !is_name(host))
			return "the host's name is malformed";
		url->host = lower(scope, host);
		port = lp_span_skip(text, host.len);
	}
	port = lp_span_skip(port, 1);
	if (port.len && !read_port(port, &url->port))
		return "the port is no number up to 65535";
	return NULL;
}

static void write_text(struct lp_scope *scope, struct lp_url *url)
{
	const char *scheme = url->tls ? "https" : "http";
	char *text;

	if (url->unix_path)
		text = lp_fmt(scope, "unix:%s%s%.*s", url->unix_path, url->path.len > 1 ? ":" : "",
			      url->path.len > 1 ? (int)url->path.len : 0, url->path.at);
	else if (memchr(url->host.at, ':', url->host.len))
		text = lp_fmt(scope, "%s://[%.*s]:%u%.*s", scheme, LP_ARG(url->host), url->port, LP_ARG(url->path));
	else
		text = lp_fmt(scope, "%s://%.*s:%u%.*s", scheme, LP_ARG(url->host), url->port, LP_ARG(url->path));
	url->text = lp_span(text);
}

/* "/run/x.sock", "///run/x.sock" as Docker writes it, or "/run/x.sock:/path" as we write it. */
static const char *read_unix(struct lp_scope *scope, struct lp_url *url, struct lp_span text)
{
	if (lp_span_starts(text, "///"))
		text = lp_span_skip(text, 2);
	ptrdiff_t colon = lp_span_find(text, LP_SPAN(":/"));
	struct lp_span file = colon < 0 ? text : lp_span_of(text.at, (size_t)colon);
	if (!lp_span_starts(file, "/") || lp_span_starts(file, "//") || file.len < 2)
		return "a unix socket needs an absolute path";
	if (file.len > UNIX_PATH_MAX)
		return "the path of a unix socket is too long";
	url->unix_path = lp_strdup(scope, file);
	url->host = LP_SPAN("localhost");	/* what a Host header says */
	url->port = 0;
	if (colon >= 0)
		url->path = lp_span_dup(scope, lp_span_skip(text, (size_t)colon + 1));
	return NULL;
}

static const char *read_rest(struct lp_scope *scope, struct lp_url *url, struct lp_span rest)
{
	size_t host = 0;

	while (host < rest.len && rest.at[host] != '/' && rest.at[host] != '?')
		host++;
	struct lp_span path = lp_span_skip(rest, host);
	if (lp_span_starts(path, "?"))
		url->path = lp_span(lp_fmt(scope, "/%.*s", LP_ARG(path)));
	else if (path.len)
		url->path = lp_span_dup(scope, path);
	return read_authority(scope, url, lp_span_of(rest.at, host));
}

static bool take_scheme(struct lp_span *rest, const char *scheme)
{
	size_t len = strlen(scheme);

	if (rest->len < len || strncasecmp(rest->at, scheme, len) != 0)
		return false;
	*rest = lp_span_skip(*rest, len);
	return true;
}

static const char *check_text(struct lp_span text)
{
	if (text.len > URL_MAX)
		return "it is longer than 8 KiB";
	if (!clean(text))
		return "it has bytes that must be escaped";
	if (memchr(text.at, '#', text.len))
		return "fragments are not taken";
	return NULL;
}

/* default_port -1: a scheme must stand there, and host and port must be such as one can connect to. */
static const char *read_url(struct lp_scope *scope, struct lp_url *url, struct lp_span text, int default_port)
{
	struct lp_span rest = text;
	const char *wrong = text.len ? check_text(text) : "it is empty";
	bool listens = default_port >= 0;

	url->path = LP_SPAN("/");
	url->port = listens ? (uint16_t)default_port : 80;
	if (wrong)
		return wrong;
	if (take_scheme(&rest, "unix:"))
		return read_unix(scope, url, rest);
	url->tls = take_scheme(&rest, "https://");
	if (url->tls || take_scheme(&rest, "http://"))
		url->port = url->tls ? 443 : 80;
	else if (!listens || lp_span_find(rest, LP_SPAN("://")) >= 0)
		return "it does not begin with http://, https:// or unix:/";
	wrong = read_rest(scope, url, rest);
	if (!wrong && !listens && !url->host.len)
		wrong = "it names no host";
	if (!wrong && !listens && !url->port)
		wrong = "there is no port 0";
	return wrong;
}

static enum lp_code parse(struct lp_scope *scope, struct lp_url *out, struct lp_span text, int default_port,
			  struct lp_err *e)
{
	struct lp_url url = { .port = 0 };
	const char *wrong = read_url(scope, &url, text, default_port);

	if (wrong) {
		int shown = text.len > 80 ? 80 : (int)text.len;
		return lp_fail(e, LP_BAD_REQUEST, "the address '%.*s' cannot be used: %s", shown,
			       text.at ? text.at : "", wrong);
	}
	write_text(scope, &url);
	*out = url;
	return LP_OK;
}

enum lp_code lp_url_parse(struct lp_scope *scope, struct lp_url *out, struct lp_span text, struct lp_err *e)
{
	return parse(scope, out, text, -1, e);
}

enum lp_code lp_url_parse_address(struct lp_scope *scope, struct lp_url *out, struct lp_span text,
				  uint16_t default_port, struct lp_err *e)
{
	return parse(scope, out, text, default_port, e);
}

void lp_url_join(struct lp_scope *scope, struct lp_url *out, const struct lp_url *base, struct lp_span path)
{
	struct lp_url url = *base;
	struct lp_span front = base->path;

	front = lp_span_cut(&front, '?');
	while (lp_span_ends(front, "/"))
		front.len--;
	while (lp_span_starts(path, "/"))
		path = lp_span_skip(path, 1);
	url.path = lp_span(lp_fmt(scope, "%.*s/%.*s", LP_ARG(front), LP_ARG(path)));
	write_text(scope, &url);
	*out = url;
}

/* ---- tables ---- */

static const struct {
	int status;
	const char *text;
} status_texts[] = {
	{ 100, "Continue" },
	{ 101, "Switching Protocols" },
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 402, "Payment Required" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 411, "Length Required" },
	{ 412, "Precondition Failed" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" },
	{ 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" },
	{ 425, "Too Early" },
	{ 426, "Upgrade Required" },
	{ 428, "Precondition Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 480, "Refresh Session" },	/* an orchestrator's own: the session's terms have changed */
	{ 499, "Client Closed Request" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
	{ 507, "Insufficient Storage" },
};

const char *lp_status_text(int status)
{
	static const char *const classes[] = { "Unknown", "Informational", "Success", "Redirection", "Client Error",
					       "Server Error" };

	for (size_t i = 0; i < sizeof(status_texts) / sizeof(status_texts[0]); i++) {
		if (status_texts[i].status == status)
			return status_texts[i].text;
	}
	return status >= 100 && status < 600 ? classes[status / 100] : classes[0];
}

/* The first row of a type names its extension, the first of an extension its type. */
static const struct {
	const char *extension;
	const char *type;
} media_types[] = {
	{ ".png", "image/png" },
	{ ".jpg", "image/jpeg" },
	{ ".jpeg", "image/jpeg" },
	{ ".webp", "image/webp" },
	{ ".gif", "image/gif" },
	{ ".bmp", "image/bmp" },
	{ ".tiff", "image/tiff" },
	{ ".tif", "image/tiff" },
	{ ".avif", "image/avif" },
	{ ".svg", "image/svg+xml" },
	{ ".ico", "image/x-icon" },
	{ ".mp4", "video/mp4" },
	{ ".webm", "video/webm" },
	{ ".mov", "video/quicktime" },
	{ ".mkv", "video/x-matroska" },
	{ ".avi", "video/x-msvideo" },
	{ ".ts", "video/mp2t" },
	{ ".m3u8", "application/vnd.apple.mpegurl" },
	{ ".wav", "audio/wav" },
	{ ".wav", "audio/x-wav" },
	{ ".wav", "audio/wave" },
	{ ".mp3", "audio/mpeg" },
	{ ".flac", "audio/flac" },
	{ ".ogg", "audio/ogg" },
	{ ".opus", "audio/opus" },
	{ ".m4a", "audio/mp4" },
	{ ".aac", "audio/aac" },
	{ ".weba", "audio/webm" },
	{ ".json", "application/json" },
	{ ".txt", "text/plain" },
	{ ".html", "text/html" },
	{ ".css", "text/css" },
	{ ".js", "text/javascript" },
	{ ".csv", "text/csv" },
	{ ".md", "text/markdown" },
	{ ".xml", "application/xml" },
	{ ".yaml", "application/yaml" },
	{ ".pdf", "application/pdf" },
	{ ".zip", "application/zip" },
	{ ".gz", "application/gzip" },
	{ ".wasm", "application/wasm" },
	{ ".bin", "application/octet-stream" },
};

#define N_MEDIA_TYPES (sizeof(media_types) / sizeof(media_types[0]))

const char *lp_media_type_of(struct lp_span filename)
{
	struct lp_span extension = filename;

	while (extension.len && *extension.at != '.')
		extension = lp_span_skip(extension, 1);
	for (struct lp_span s = extension; s.len; s = lp_span_skip(s, 1)) {
		if (*s.at == '.')
			extension = s;
	}
	for (size_t i = 0; i < N_MEDIA_TYPES; i++) {
		if (lp_span_is_icase(extension, media_types[i].extension))
			return media_types[i].type;
	}
	return "application/octet-stream";
}

const char *lp_media_extension(struct lp_span content_type)
{
	for (size_t i = 0; i < N_MEDIA_TYPES; i++) {
		if (lp_media_is(content_type, media_types[i].type))
			return media_types[i].extension;
	}
	return "";
}
