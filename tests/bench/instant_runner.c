/* instant_runner - an AI runner that has every answer ready: what the bench measures is then not the runner.
 *
 *     instant_runner [-delay MS] [-size BYTES]
 *
 * Serves the routes of ai-runner that a node asks: /health, /version, /hardware/info, /text-to-image (a PNG
 * as a data URL) and /llm (JSON, not streamed), on a free port of 127.0.0.1, which it prints.  -delay waits
 * before each answer to a job, -size makes the picture and the text that long.  GET /stats says how many
 * jobs it has in hand and has answered.  Its peers are ours: it trusts them, and it is nothing more than
 * epoll around a few buffers. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD 8192

struct bytes {
	char *at;
	size_t len, cap;
};

struct conn {
	int fd;
	char head[HEAD];
	size_t head_len;
	size_t body_left;		/* of the request that is being read */
	bool chunked;			/* its body ends with 0 CR LF CR LF */
	char tail[5];
	const struct bytes *answer;	/* being written, or waiting for due */
	size_t sent;
	int64_t due;			/* microseconds; 0: not waiting */
	struct conn *later;		/* all wait equally long, so the row is in order */
	bool dead, waiting;
};

static struct bytes health, version, hardware, picture, text, stats, missing;
static int64_t delay;
static long in_hand, answered;
static struct conn *first, **last = &first;
static int poll_fd;

static void add(struct bytes *to, const void *at, size_t len)
{
	if (to->cap - to->len < len + 1) {
		to->cap = 2 * to->cap + len + 64;
		to->at = realloc(to->at, to->cap);
		if (!to->at)
			abort();
	}
	memcpy(to->at + to->len, at, len);
	to->len += len;
	to->at[to->len] = 0;
}

static void add_text(struct bytes *to, const char *words)
{
	add(to, words, strlen(words));
}

static struct bytes answer_of(const char *status, const char *body, size_t len)
{
	struct bytes all = { 0 };
	char head[200];

	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", status,
		 len);
	add_text(&all, head);
	add(&all, body, len);
	return all;
}

/* ---- a PNG that is as long as wanted: grey noise in stored blocks ---- */

static void add_be32(struct bytes *to, uint32_t n)
{
	unsigned char be[4] = { (unsigned char)(n >> 24), (unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n };

	add(to, be, 4);
}

static uint32_t crc(const char *at, size_t len)
{
	uint32_t c = ~UINT32_C(0);

	for (size_t i = 0; i < len; i++) {
		c ^= (unsigned char)at[i];
		for (int bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (c & 1 ? UINT32_C(0xedb88320) : 0);
	}
	return ~c;
}

static void add_chunk(struct bytes *png, const char *type, const char *at, size_t len)
{
	add_be32(png, (uint32_t)len);
	add(png, type, 4);
	add(png, at, len);
	add_be32(png, crc(png->at + png->len - len - 4, len + 4));
}

/* zlib's form without compression: blocks of at most 65535 bytes, each with its length and the complement. */
static struct bytes stored(const struct bytes *raw)
{
	struct bytes z = { 0 };
	uint32_t a = 1, b = 0;

	add(&z, "\x78\x01", 2);
	for (size_t at = 0; at < raw->len;) {
		size_t n = raw->len - at < 65535 ? raw->len - at : 65535;
		unsigned char head[5] = { at + n == raw->len, (unsigned char)n, (unsigned char)(n >> 8), (unsigned char)~n,
					  (unsigned char)(~n >> 8) };

		add(&z, head, 5);
		add(&z, raw->at + at, n);
		at += n;
	}
	for (size_t i = 0; i < raw->len; i++) {
		a = (a + (unsigned char)raw->at[i]) % 65521;
		b = (b + a) % 65521;
	}
	add_be32(&z, b << 16 | a);
	return z;
}

static struct bytes make_png(size_t size)
{
	struct bytes png = { 0 }, raw = { 0 }, z, head = { 0 };
	uint32_t width = 1, noise = 1;

	while ((size_t)width * width < size)
		width++;
	for (uint32_t y = 0; y < width; y++) {
		add(&raw, "\0", 1);	/* the row's filter: none */
		for (uint32_t x = 0; x < width; x++) {
			char grey = (char)((noise = noise * 1103515245 + 12345) >> 16);

			add(&raw, &grey, 1);
		}
	}
	z = stored(&raw);
	add_be32(&head, width);
	add_be32(&head, width);
	add(&head, "\x08\0\0\0\0", 5);
	add(&png, "\x89PNG\r\n\x1a\n", 8);
	add_chunk(&png, "IHDR", head.at, head.len);
	add_chunk(&png, "IDAT", z.at, z.len);
	add_chunk(&png, "IEND", "", 0);
	free(raw.at);
	free(z.at);
	free(head.at);
	return png;
}

static void add_base64(struct bytes *to, const struct bytes *from)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < from->len; i += 3) {
		size_t n = from->len - i < 3 ? from->len - i : 3;
		uint32_t word = 0;
		char four[4];

		for (size_t k = 0; k < 3; k++)
			word = word << 8 | (k < n ? (unsigned char)from->at[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			four[k] = k <= n ? digits[word >> (18 - 6 * k) & 63] : '=';
		add(to, four, 4);
	}
}

static void make_answers(size_t size)
{
	struct bytes png = make_png(size ? size : 10000), json = { 0 };
	size_t words = size ? size : 760;	/* with what stands around it about 1 KB */

	add_text(&json, "{\"images\":[{\"url\":\"data:image/png;base64,");
	add_base64(&json, &png);
	add_text(&json, "\",\"seed\":1,\"nsfw\":false}]}");
	picture = answer_of("200 OK", json.at, json.len);
	json.len = 0;
	add_text(&json, "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
	while (words-- > 0)
		add(&json, words % 9 ? "o" : " ", 1);
	add_text(&json, "\"},\"finish_reason\":\"stop\"}],\"created\":1700000000,\"id\":\"chatcmpl-bench\","
			"\"model\":\"bench\",\"usage\":{\"completion_tokens\":9,\"prompt_tokens\":3,\"total_tokens\":12}}");
	text = answer_of("200 OK", json.at, json.len);
	free(png.at);
	free(json.at);
#define FIXED(body) answer_of("200 OK", body, sizeof(body) - 1)
	health = FIXED("{\"status\":\"OK\"}");
	version = FIXED("{\"pipeline\":\"bench\",\"model_id\":\"bench\",\"version\":\"0.0.0\"}");
	hardware = FIXED("{\"pipeline\":\"bench\",\"model_id\":\"bench\",\"gpu_info\":{}}");
	missing = answer_of("404 Not Found", "{\"detail\":\"Not Found\"}", 22);
}

/* ---- connections ---- */

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void want(struct conn *c, uint32_t events)
{
	struct epoll_event event = { events, { .ptr = c } };

	epoll_ctl(poll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

/* One that waits its turn is freed when that has come: the row points to it. */
static void drop(struct conn *c)
{
	if (!c->dead) {
		if (c->answer == &picture || c->answer == &text)
			in_hand--;
		close(c->fd);
	}
	c->dead = true;
	if (!c->waiting)
		free(c);
}

/* False: the connection is gone. */
static bool send_some(struct conn *c)
{
	while (c->sent < c->answer->len) {
		ssize_t n = write(c->fd, c->answer->at + c->sent, c->answer->len - c->sent);

		if (n < 0 && errno == EAGAIN) {
			want(c, EPOLLOUT);
			return true;
		}
		if (n <= 0) {
			drop(c);
			return false;
		}
		c->sent += (size_t)n;
	}
	if (c->answer == &picture || c->answer == &text) {
		in_hand--;
		answered++;
	}
	c->answer = NULL;
	want(c, EPOLLIN);
	return true;
}

static const struct bytes *route(const char *head)
{
	static const struct {
		const char *line;
		const struct bytes *answer;
	} routes[] = {
		{ "GET /health ", &health }, { "GET /version ", &version }, { "GET /hardware/info ", &hardware },
		{ "GET /stats ", &stats }, { "POST /text-to-image ", &picture }, { "POST /llm ", &text },
	};

	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++)
		if (!strncmp(head, routes[i].line, strlen(routes[i].line)))
			return routes[i].answer;
	return &missing;
}

static bool begin_answer(struct conn *c)
{
	bool job;

	c->answer = route(c->head);
	c->head_len = 0;
	c->chunked = false;
	c->sent = 0;
	job = c->answer == &picture || c->answer == &text;
	if (c->answer == &stats) {
		char words[100];
		int len = snprintf(words, sizeof(words), "{\"in_hand\":%ld,\"answered\":%ld}", in_hand, answered);

		free(stats.at);
		stats = answer_of("200 OK", words, (size_t)len);
	}
	in_hand += job;
	if (!job || !delay)
		return send_some(c);
	c->due = now() + delay;
	c->waiting = true;
	c->later = NULL;
	*last = c;
	last = &c->later;
	return true;
}

/* The head is whole: how long is the body? */
static void read_head(struct conn *c)
{
	const char *line = c->head;

	c->body_left = 0;
	while ((line = strstr(line, "\r\n")) && line[2] != '\r') {
		line += 2;
		if (!strncasecmp(line, "content-length:", 15))
			c->body_left = strtoul(line + 15, NULL, 10);
		if (!strncasecmp(line, "transfer-encoding:", 18))
			c->chunked = true;
	}
}

/* Takes bytes of one request; false: the connection is gone. */
static bool take(struct conn *c, const char *at, size_t len)
{
	while (len > 0 && !c->answer) {
		if (c->chunked) {
			memmove(c->tail, c->tail + 1, 4);
			c->tail[4] = *at;
			at++, len--;
			if (memcmp(c->tail, "0\r\n\r\n", 5))
				continue;
		} else if (c->body_left > 0) {
			size_t n = len < c->body_left ? len : c->body_left;

			at += n, len -= n;
			c->body_left -= n;
		} else {
			if (c->head_len == HEAD - 1) {
				drop(c);
				return false;
			}
			c->head[c->head_len++] = *at;
			c->head[c->head_len] = 0;
			at++, len--;
			if (c->head_len < 4 || memcmp(c->head + c->head_len - 4, "\r\n\r\n", 4))
				continue;
			read_head(c);
			if (c->chunked)
				continue;
		}
		if (c->body_left == 0 && !begin_answer(c))
			return false;
	}
	return true;
}

static void on_readable(struct conn *c)
{
	static char bytes[65536];
	ssize_t n = read(c->fd, bytes, sizeof(bytes));

	if (n > 0)
		take(c, bytes, (size_t)n);
	else if (n == 0 || errno != EAGAIN)
		drop(c);
}

static void on_connection(int listener)
{
	int fd, on = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));
		struct epoll_event event = { EPOLLIN, { .ptr = c } };

		if (!c)
			abort();
		c->fd = fd;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
	}
}

/* Those whose time has come; how long until the next, in milliseconds. */
static int release(void)
{
	int64_t t = first ? now() : 0;

	while (first && first->due <= t) {
		struct conn *c = first;

		first = c->later;
		if (!first)
			last = &first;
		c->waiting = false;
		if (c->dead)
			free(c);
		else
			send_some(c);
	}
	return first ? (int)((first->due - t + 999) / 1000) : -1;
}

static int listen_somewhere(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct epoll_event event = { EPOLLIN, { .ptr = NULL } };

	poll_fd = epoll_create1(0);
	if (bind(fd, (struct sockaddr *)&at, len) || listen(fd, 4096) || getsockname(fd, (struct sockaddr *)&at, &len) ||
	    epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event)) {
		perror("instant_runner");
		exit(1);
	}
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	size_t size = 0;
	int listener;
	struct rlimit files;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "-delay"))
			delay = strtol(argv[i + 1], NULL, 10) * 1000;
		else if (!strcmp(argv[i], "-size"))
			size = strtoul(argv[i + 1], NULL, 10);
	}
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	make_answers(size);
	listener = listen_somewhere();
	for (;;) {
		struct epoll_event events[256];
		int n = epoll_wait(poll_fd, events, 256, release());

		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			if (!c)
				on_connection(listener);
			else if (events[i].events & EPOLLOUT && c->answer && !c->waiting)
				send_some(c);
			else
				on_readable(c);
		}
	}
}
