#include "listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <lpd/base/assert.h>
#include <lpd/base/mem.h>

#include "loop_priv.h"

#define SOCKETS 8	/* a name may stand for several addresses */

struct listener {
	uv_poll_t poll;
	struct lp_listen *listen;
	int fd;
};

struct lp_listen {
	struct lp_loop *loop;
	void (*on_accept)(void *self, int fd);
	void *self;
	const char *unix_path;		/* to be removed */
	struct listener *sockets[SOCKETS];
	int n;
	uint16_t port;
	bool share_port;
};

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct listener *one = LP_CONTAINER(poll, struct listener, poll);
	struct lp_loop *loop = one->listen->loop;

	(void)status, (void)events;
	lp_loop_woke(loop);
	one->listen->on_accept(one->listen->self, one->fd);
	lp_loop_served(loop);
}

static void set_options(int fd, int family, bool share_port)
{
	int on = 1, off = 0, seconds = 15;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_UNIX)
		return;
	if (share_port)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof(seconds));
}

static void note_port(struct lp_listen *l, int fd)
{
	struct sockaddr_storage any = { 0 };
	socklen_t len = sizeof(any);

	if (l->port || getsockname(fd, (struct sockaddr *)&any, &len) != 0)
		return;
	if (any.ss_family == AF_INET)
		l->port = ntohs(((const struct sockaddr_in *)(const void *)&any)->sin_port);
	else if (any.ss_family == AF_INET6)
		l->port = ntohs(((const struct sockaddr_in6 *)(const void *)&any)->sin6_port);
}

/* 0, or the error number. */
static int add_socket(struct lp_listen *l, const struct sockaddr *addr, socklen_t len)
{
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	set_options(fd, addr->sa_family, l->share_port);
	if (bind(fd, addr, len) != 0 || listen(fd, SOMAXCONN) != 0) {
		int error = errno;

		close(fd);
		return error;
	}
	struct listener *one = lp_mem_zeroed(1, sizeof(*one));

	one->listen = l;
	one->fd = fd;
	int failed = uv_poll_init(lp_loop_uv(l->loop), &one->poll, fd);
	lp_assert(!failed);
	l->sockets[l->n++] = one;
	note_port(l, fd);
	uv_poll_start(&one->poll, UV_READABLE, on_poll);
	return 0;
}

static int add_everywhere(struct lp_listen *l, uint16_t port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	int error = add_socket(l, (const struct sockaddr *)&six, sizeof(six));

	/* A kernel without IPv6. */
	if (error == EAFNOSUPPORT || error == EADDRNOTAVAIL)
		error = add_socket(l, (const struct sockaddr *)&four, sizeof(four));
	return error;
}

static void set_port(struct sockaddr *addr, uint16_t port)
{
	if (addr->sa_family == AF_INET)
		((struct sockaddr_in *)(void *)addr)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)(void *)addr)->sin6_port = htons(port);
}

/* Every address of the name, on one port; an address family that is not there is passed over. */
static int add_name(struct lp_listen *l, const char *host, uint16_t port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *all = NULL;
	int error = 0;

	if (getaddrinfo(host, NULL, &hints, &all) != 0)
		return EADDRNOTAVAIL;
	for (struct addrinfo *one = all; one && !error && l->n < SOCKETS; one = one->ai_next) {
		if (one->ai_family != AF_INET && one->ai_family != AF_INET6)
			continue;
		set_port(one->ai_addr, l->port ? l->port : port);
		error = add_socket(l, one->ai_addr, one->ai_addrlen);
		if (error == EAFNOSUPPORT || error == EADDRNOTAVAIL)
			error = 0;
	}
	freeaddrinfo(all);
	return !error && l->n == 0 ? EADDRNOTAVAIL : error;
}

/* A socket file that nobody answers at was left by one that crashed. */
static bool is_stale(const struct sockaddr_un *addr)
{
	struct stat about;

	if (lstat(addr->sun_path, &about) != 0 || !S_ISSOCK(about.st_mode))
		return false;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool stale = fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) != 0 &&
		     errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return stale;
}

static int add_unix(struct lp_listen *l, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (!lp_span_copy(addr.sun_path, sizeof(addr.sun_path), lp_span(path)))
		return ENAMETOOLONG;
	if (is_stale(&addr))
		unlink(path);
	int error = add_socket(l, (const struct sockaddr *)&addr, sizeof(addr));

	if (!error)
		l->unix_path = path;
	return error;
}

static const char *place(struct lp_scope *scope, const struct lp_url *address)
{
	bool six = address->host.len && memchr(address->host.at, ':', address->host.len);

	if (address->unix_path)
		return address->unix_path;
	return lp_fmt(scope, six ? "[%.*s]:%u" : "%.*s:%u", LP_ARG(address->host), address->port);
}

enum lp_code lp_listen_open(struct lp_scope *scope, struct lp_listen **out, const struct lp_listen_want *want,
			    struct lp_err *e)
{
	struct lp_listen *l = lp_new(scope, struct lp_listen);
	const struct lp_url *address = want->address;
	int error;

	l->loop = want->loop;
	l->on_accept = want->on_accept;
	l->self = want->self;
	l->share_port = want->share_port;
	if (address->unix_path)
		error = add_unix(l, lp_strdup(scope, lp_span(address->unix_path)));
	else if (!address->host.len)
		error = add_everywhere(l, address->port);
	else
		error = add_name(l, lp_strdup(scope, address->host), address->port);
	if (error) {
		lp_listen_stop(l);
		return lp_fail(e, LP_CONFIG, "cannot listen on %s: %s", place(scope, address), strerror(error));
	}
	*out = l;
	return LP_OK;
}

uint16_t lp_listen_port(const struct lp_listen *l)
{
	return l->port;
}

void lp_listen_pause(struct lp_listen *l, bool paused)
{
	for (int i = 0; i < l->n; i++) {
		if (paused)
			uv_poll_stop(&l->sockets[i]->poll);
		else
			uv_poll_start(&l->sockets[i]->poll, UV_READABLE, on_poll);
	}
}

static void on_closed(uv_handle_t *handle)
{
	lp_mem_free(LP_CONTAINER(handle, struct listener, poll));
}

void lp_listen_stop(struct lp_listen *l)
{
	for (int i = 0; i < l->n; i++) {
		int fd = l->sockets[i]->fd;

		uv_close((uv_handle_t *)&l->sockets[i]->poll, on_closed);
		close(fd);
	}
	l->n = 0;
	if (l->unix_path)
		unlink(l->unix_path);
	l->unix_path = NULL;
}
