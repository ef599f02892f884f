/* The runner as lpd sees it: a child behind a unix socket, spoken to in HTTP.  No model is fetched here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lpd/base/buf.h>
#include <lpd/base/hex.h>
#include <lpd/base/json.h>

#include "picture.h"
#include "serve.h"

struct fixture {
	struct lp_scope *scope;
	char socket[64];
	pid_t pid;
};

struct answer {
	int status;
	struct lp_span head, body;
	json_t *json;
};

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

/* Connected, or -1 after ten seconds of trying. */
static int dial(const struct fixture *f)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 60 };

	memcpy(to.sun_path, f->socket, strlen(f->socket) + 1);
	for (int i = 0; i < 500; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
		if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
			return fd;
		close(fd);
		nap();
	}
	return -1;
}

static _Noreturn void be_runner(const struct fixture *f, const char *token)
{
	char listen[80], data[] = "-dataDir", none[] = "/nonexistent", flag[] = "-listen", level[] = "-logLevel=unusual";
	char *argv[] = { flag, listen, data, none, level, NULL };

	snprintf(listen, sizeof listen, "unix:%s", f->socket);
	if (token)
		setenv("AUTH_TOKEN", token, 1);
	if (!freopen("/dev/null", "w", stderr))
		_exit(9);
	_exit(lp_serve_command(5, argv));
}

static void start(struct fixture *f, const char *token)
{
	snprintf(f->socket, sizeof f->socket, "/tmp/lpd-runner-test-%d.sock", (int)getpid());
	unlink(f->socket);
	f->pid = fork();
	if (f->pid == 0)
		be_runner(f, token);
	assert_true(f->pid > 0);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->scope = lp_scope_open(NULL, "test");
	start(f, NULL);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->pid > 0) {
		kill(f->pid, SIGKILL);
		waitpid(f->pid, NULL, 0);
	}
	unlink(f->socket);
	lp_scope_close(&f->scope);
	free(f);
	return 0;
}

static void say(int fd, const void *at, size_t len)
{
	const char *from = at;

	while (len) {
		ssize_t n = send(fd, from, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;		/* refused early: the answer says why */
		from += n;
		len -= (size_t)n;
	}
}

static void ask(struct fixture *f, int fd, const char *head, struct lp_span body)
{
	const char *all = lp_fmt(f->scope, "%s\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", head, body.len);

	say(fd, all, strlen(all));
	say(fd, body.at, body.len);
}

static struct answer hear(struct fixture *f, int fd)
{
	struct lp_buf all = { .len = 0 };
	struct answer a = { .status = 0 };
	struct lp_err e;
	ssize_t n;

	while ((n = recv(fd, lp_buf_room(&all, 65536), 65536, 0)) > 0)
		lp_buf_grew(&all, (size_t)n);
	struct lp_span text = lp_span_dup(f->scope, lp_buf_span(&all));
	ptrdiff_t end = lp_span_find(text, LP_SPAN("\r\n\r\n"));

	lp_buf_clear(&all);
	close(fd);
	if (end < 12)
		return a;
	a.status = (int)strtol(text.at + 9, NULL, 10);
	a.head = lp_span_of(text.at, (size_t)end + 2);
	a.body = lp_span_skip(text, (size_t)end + 4);
	if (lp_json_parse(f->scope, &a.json, a.body, &e) != LP_OK)
		a.json = NULL;
	return a;
}

static struct answer call(struct fixture *f, const char *head, struct lp_span body)
{
	int fd = dial(f);

	assert_true(fd >= 0);
	ask(f, fd, head, body);
	return hear(f, fd);
}

static struct answer sketch(struct fixture *f, const char *json)
{
	return call(f, "POST /text-to-image HTTP/1.1\r\nContent-Type: application/json", lp_span(json));
}

static struct lp_span image_of(struct fixture *f, const struct answer *a, size_t i, int64_t *seed)
{
	const json_t *image = json_array_get(json_object_get(a->json, "images"), i);
	struct lp_span url = lp_json_str(image, "url"), png;

	*seed = json_integer_value(json_object_get(image, "seed"));
	assert_true(lp_span_starts(url, "data:image/png;base64,"));
	assert_true(lp_b64_read_dup(f->scope, &png, lp_span_skip(url, 22)));
	return png;
}

static void pictures_come_back_with_their_seeds(void **state)
{
	struct fixture *f = *state;
	const char *want = "{\"prompt\":\"a fox\",\"width\":96,\"height\":64,\"seed\":41,\"num_images_per_prompt\":2,"
			   "\"num_inference_steps\":4}";
	struct answer a = sketch(f, want), b = sketch(f, want);
	struct lp_image *im;
	struct lp_err e;
	int64_t seed;

	assert_int_equal(a.status, 200);
	assert_true(lp_span_eq(a.body, b.body));
	assert_int_equal(json_array_size(json_object_get(a.json, "images")), 2);
	struct lp_span first = image_of(f, &a, 0, &seed);

	assert_int_equal(seed, 41);
	assert_false(lp_span_eq(first, image_of(f, &a, 1, &seed)));
	assert_int_equal(seed, 42);
	assert_int_equal(lp_picture_read(f->scope, &im, first, 4096, &e), LP_OK);
	assert_int_equal(im->w, 96);
	assert_int_equal(im->h, 64);
	assert_true(lp_span_find(lp_json_str(a.json, "warning"), LP_SPAN("by rule")) >= 0);
}

static void health_says_which_models_are_stand_ins(void **state)
{
	struct fixture *f = *state;
	struct answer a = call(f, "GET /health HTTP/1.1", LP_SPAN(""));
	size_t i;
	json_t *model;

	assert_int_equal(a.status, 200);
	assert_true(lp_span_is(lp_json_str(a.json, "status"), "OK"));
	assert_true(json_array_size(json_object_get(a.json, "models")) >= 3);
	json_array_foreach(json_object_get(a.json, "models"), i, model) {
		if (lp_span_starts(lp_json_str(model, "engine"), "flite"))
			continue;	/* the system's, not of the models folder */
		if (lp_span_starts(lp_json_str(model, "engine"), "tesseract"))
			continue;
		assert_true(json_is_true(json_object_get(model, "fallback")));
		assert_true(lp_json_str(model, "why").len > 0);
	}
	assert_true(json_array_size(json_object_get(a.json, "missing")) >= 1);
	json_array_foreach(json_object_get(a.json, "missing"), i, model) {
		assert_true(lp_span_find(lp_json_str(model, "why"), LP_SPAN("lpd models fetch")) >= 0 ||
			    lp_span_find(lp_json_str(model, "why"), LP_SPAN("apt-get install")) >= 0);
	}
	a = call(f, "GET /version/ HTTP/1.1", LP_SPAN(""));
	assert_true(lp_span_is(lp_json_str(a.json, "version"), LPD_VERSION));
	a = call(f, "GET /hardware/info HTTP/1.1", LP_SPAN(""));
	assert_true(json_is_object(json_object_get(a.json, "gpu_info")));
}

static void bad_requests_are_refused_as_ai_runner_does(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *part;
	} rows[] = {
		{ "{}", 422, "\"loc\":[\"body\",\"prompt\"],\"msg\":\"Field required\"" },
		{ "{\"prompt\":null}", 422, "string_type" },
		{ "{\"prompt\":\"x\",\"width\":\"w\",\"seed\":1.5}", 422, "\"width\"],\"msg\":\"Input should be a valid integer\"" },
		{ "{\"prompt\":\"x\",\"safety_check\":\"maybe\"}", 422, "bool_parsing" },
		{ "nope", 422, "json_invalid" },
		{ "{\"prompt\":\"x\"} y", 422, "json_invalid" },
		{ "[1]", 422, "\"loc\":[\"body\"]" },
		{ "{\"prompt\":\" \"}", 400, "{\"detail\":{\"msg\":\"Prompt must be provided.\"}}" },
		{ "{\"prompt\":\"x\",\"model_id\":\"a/b\"}", 400, "a/b" },
		{ "{\"prompt\":\"x\",\"model_id\":\"builtin/span-x4\"}", 400, "text-to-image" },
		{ "{\"prompt\":\"x\",\"width\":4096}", 400, "64 to 2048" },
		{ "{\"prompt\":\"x\",\"num_images_per_prompt\":11}", 400, "at most 10" },
		{ "{\"prompt\":\"x\",\"seed\":-1}", 400, "negative" },
		{ "{\"prompt\":\"x\",\"loras\":\"{\\\"a\\\":1}\"}", 400, "loras" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct answer a = sketch(f, rows[i].body);

		if (a.status != rows[i].status || lp_span_find(a.body, lp_span(rows[i].part)) < 0)
			fail_msg("%s: %d %.*s", rows[i].body, a.status, LP_ARG(a.body));
		assert_non_null(a.json);
	}
	assert_int_equal(call(f, "POST /text-to-image HTTP/1.1\r\nContent-Type: text/plain", LP_SPAN("{\"prompt\":\"x\"}")).status, 422);
	assert_int_equal(call(f, "GET /nothing HTTP/1.1", LP_SPAN("")).status, 404);
	char *large = lp_alloc(f->scope, (2 << 20) + 1);

	memset(large, ' ', 2 << 20);
	assert_int_equal(sketch(f, large).status, 413);
}

static struct lp_span form(struct fixture *f, struct lp_span image, const char *model)
{
	struct lp_buf body = { .len = 0 };

	lp_buf_fmt(&body, "--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\n\r\n"
			  "--b\r\nContent-Disposition: form-data; name=\"model_id\"\r\n\r\n%s\r\n"
			  "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\n", model);
	lp_buf_add_span(&body, image);
	lp_buf_add_text(&body, "\r\n--b--\r\n");
	struct lp_span all = lp_span_dup(f->scope, lp_buf_span(&body));

	lp_buf_clear(&body);
	return all;
}

static struct answer upscale(struct fixture *f, struct lp_span body)
{
	return call(f, "POST /upscale HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b", body);
}

static void a_picture_is_enlarged_and_what_is_none_is_refused(void **state)
{
	struct fixture *f = *state;
	struct lp_image *im = lp_image_new(f->scope, 20, 10);
	struct lp_buf png = { .len = 0 };
	struct lp_err e;
	int64_t seed;

	lp_picture_write(&png, im);
	struct answer a = upscale(f, form(f, lp_buf_span(&png), ""));

	assert_int_equal(a.status, 200);
	assert_int_equal(lp_picture_read(f->scope, &im, image_of(f, &a, 0, &seed), 4096, &e), LP_OK);
	assert_int_equal(im->w, 80);
	a = upscale(f, form(f, lp_buf_span(&png), "builtin/span-x2"));
	assert_int_equal(lp_picture_read(f->scope, &im, image_of(f, &a, 0, &seed), 4096, &e), LP_OK);
	assert_int_equal(im->h, 20);
	assert_int_equal(upscale(f, form(f, LP_SPAN("GIF89a"), "")).status, 415);
	assert_int_equal(upscale(f, form(f, lp_span_of(png.mem + png.off, 40), "")).status, 400);
	assert_int_equal(upscale(f, LP_SPAN("--b--\r\n")).status, 422);
	assert_int_equal(upscale(f, LP_SPAN("no form at all")).status, 400);
	lp_buf_clear(&png);
}

/* The gateway leaves this file to its runner, since runners read more kinds than we know. */
static void what_is_no_picture_is_not_set_in_motion_and_is_the_clients_fault(void **state)
{
	static const char head[] = "POST /image-to-video HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b";
	struct fixture *f = *state;
	struct lp_buf png = { .len = 0 };
	struct lp_span files[3] = { LP_SPAN("GIF89a"), LP_SPAN("a picture, honestly") };

	lp_picture_write(&png, lp_image_new(f->scope, 20, 10));
	files[2] = lp_span_of(png.mem + png.off, 40);
	for (int i = 0; i < 3; i++) {
		struct answer a = call(f, head, form(f, files[i], ""));

		assert_in_range(a.status, 400, 499);
		assert_non_null(json_object_get(a.json, "detail"));
	}
	lp_buf_clear(&png);
}

static void a_picture_is_painted_anew_and_keeps_its_size(void **state)
{
	struct fixture *f = *state;
	struct lp_image *im = lp_image_new(f->scope, 30, 20);
	struct lp_buf png = { .len = 0 };
	struct lp_err e;
	int64_t seed;

	lp_picture_write(&png, im);
	const char *head = "POST /image-to-image HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b";
	struct answer a = call(f, head, form(f, lp_buf_span(&png), "builtin/style26"));

	assert_int_equal(a.status, 200);
	assert_int_equal(lp_picture_read(f->scope, &im, image_of(f, &a, 0, &seed), 4096, &e), LP_OK);
	assert_int_equal(im->w, 30);
	assert_int_equal(im->h, 20);
	assert_true(lp_span_find(lp_json_str(a.json, "warning"), LP_SPAN("by rule")) >= 0);
	assert_int_equal(call(f, head, form(f, lp_buf_span(&png), "builtin/span-x2")).status, 400);
	struct lp_span strong = LP_SPAN("--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\nx\r\n"
					"--b\r\nContent-Disposition: form-data; name=\"strength\"\r\n\r\n1.5\r\n"
					"--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\nx\r\n--b--\r\n");

	a = call(f, head, strong);
	assert_int_equal(a.status, 400);
	assert_true(lp_span_find(a.body, LP_SPAN("strength must be 0 to 1")) >= 0);
	lp_buf_clear(&png);
}

static struct answer speak(struct fixture *f, const char *json)
{
	return call(f, "POST /text-to-speech HTTP/1.1\r\nContent-Type: application/json", lp_span(json));
}

/* Either there is a voice, or the answer says which package brings one. */
static void speech_is_a_wave_file_or_says_what_is_missing(void **state)
{
	struct fixture *f = *state;
	struct answer a = speak(f, "{\"text\":\"hello\"}");

	if (a.status == 200) {
		assert_true(lp_span_starts(lp_json_str(json_object_get(a.json, "audio"), "url"), "data:audio/wav;base64,UklGR"));
	} else {
		assert_int_equal(a.status, 503);
		assert_true(lp_span_find(a.body, LP_SPAN("apt-get install libflite1")) >= 0);
	}
	a = speak(f, "{}");
	assert_int_equal(a.status, 400);
	assert_true(lp_span_is(a.body, "{\"detail\":{\"msg\":\"Text input must be provided.\"}}"));
	assert_int_equal(speak(f, "{\"text\":7}").status, 422);
}

static void what_is_not_fetched_says_how_to_fetch_it(void **state)
{
	struct fixture *f = *state;
	const char *head = "POST /llm HTTP/1.1\r\nContent-Type: application/json";
	struct answer a = call(f, head, LP_SPAN("{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"));

	assert_int_equal(a.status, 503);
	assert_true(lp_span_find(a.body, LP_SPAN("lpd models fetch builtin/smollm2-135m")) >= 0);
	assert_true(lp_span_find(a.head, LP_SPAN("retry-after")) >= 0);
	a = call(f, head, LP_SPAN("{\"messages\":\"x\"}"));
	assert_int_equal(a.status, 422);
	assert_true(lp_span_find(a.body, LP_SPAN("\"list_type\"")) >= 0);
	assert_int_equal(call(f, head, LP_SPAN("{}")).status, 422);
	a = call(f, "POST /audio-to-text HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b",
		 LP_SPAN("--b\r\nContent-Disposition: form-data; name=\"audio\"; filename=\"a.wav\"\r\n\r\nx\r\n--b--\r\n"));
	assert_int_equal(a.status, 503);
	assert_true(lp_span_find(a.body, LP_SPAN("lpd models fetch builtin/whisper-tiny.en")) >= 0);
	a = call(f, "POST /segment-anything-2 HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b", form(f, LP_SPAN("x"), ""));
	assert_int_equal(a.status, 503);
	assert_true(lp_span_find(a.body, LP_SPAN("lpd models fetch")) >= 0);
}

static void a_token_is_wanted_when_one_is_set(void **state)
{
	struct fixture *f = *state;
	const char *head = "POST /text-to-image HTTP/1.1\r\nContent-Type: application/json\r\nAuthorization: ";
	struct lp_span body = LP_SPAN("{\"prompt\":\"x\",\"width\":64,\"height\":64,\"num_inference_steps\":1}");

	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
	start(f, "sesame");
	struct answer a = sketch(f, body.at);

	assert_int_equal(a.status, 401);
	assert_true(lp_span_is(a.body, "{\"detail\":{\"msg\":\"Invalid bearer token.\"}}"));
	assert_true(lp_span_find_icase(a.head, "www-authenticate: bearer") > 0);
	assert_int_equal(sketch(f, "{}").status, 422);	/* the body is looked at first */
	assert_int_equal(call(f, lp_fmt(f->scope, "%sBearer sesam", head), body).status, 401);
	assert_int_equal(call(f, lp_fmt(f->scope, "%sBearer sesame", head), body).status, 200);
	assert_int_equal(call(f, "GET /health HTTP/1.1", LP_SPAN("")).status, 200);
}

static int jobs_now(struct fixture *f)
{
	struct answer a = call(f, "GET /health HTTP/1.1", LP_SPAN(""));

	return (int)json_integer_value(json_object_get(a.json, "jobs"));
}

static const char long_job[] = "{\"prompt\":\"a dog and a cat and a house\",\"width\":1024,\"height\":1024,"
			       "\"num_images_per_prompt\":10}";

static int begin_long(struct fixture *f)
{
	int fd = dial(f);

	assert_true(fd >= 0);
	ask(f, fd, "POST /text-to-image HTTP/1.1\r\nContent-Type: application/json", lp_span(long_job));
	return fd;
}

static void wait_for_jobs(struct fixture *f, int n)
{
	for (int i = 0; i < 1000 && jobs_now(f) != n; i++)
		nap();
	assert_int_equal(jobs_now(f), n);
}

static void health_answers_while_it_works_and_work_stops_when_the_client_goes(void **state)
{
	struct fixture *f = *state;
	int fd = begin_long(f);

	wait_for_jobs(f, 1);
	close(fd);
	wait_for_jobs(f, 0);	/* ten large pictures would take far longer than this waits */
}

static void too_many_waiting_jobs_are_refused(void **state)
{
	struct fixture *f = *state;
	int fds[17];

	for (int i = 0; i < 17; i++)
		fds[i] = begin_long(f);
	wait_for_jobs(f, 17);
	struct answer a = sketch(f, "{\"prompt\":\"x\"}");

	assert_int_equal(a.status, 503);
	assert_true(lp_span_find_icase(a.head, "retry-after") > 0);
	for (int i = 0; i < 17; i++)
		close(fds[i]);
	wait_for_jobs(f, 0);
}

static void it_stops_at_once_when_told(void **state)
{
	struct fixture *f = *state;
	int fd = begin_long(f), status = -1;

	wait_for_jobs(f, 1);
	kill(f->pid, SIGTERM);
	for (int i = 0; i < 1000 && waitpid(f->pid, &status, WNOHANG) == 0; i++)
		nap();
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	f->pid = 0;
	close(fd);
}

static void it_gave_up_what_it_does_not_need(void **state)
{
	struct fixture *f = *state;
	char text[4096];

	call(f, "GET /health HTTP/1.1", LP_SPAN(""));
	FILE *file = fopen(lp_fmt(f->scope, "/proc/%d/status", (int)f->pid), "r");

	assert_non_null(file);
	size_t n = fread(text, 1, sizeof text - 1, file);

	fclose(file);
	text[n] = '\0';
	assert_non_null(strstr(text, "NoNewPrivs:\t1"));
	if (!strstr(text, "Seccomp:\t2"))
		fprintf(stderr, "note: this kernel took no seccomp filter\n");
}

/* A parent between us and the runner ends without a word: the runner ends too. */
static void it_dies_with_its_parent(void **state)
{
	struct fixture *f = *state;
	int ends[2];
	pid_t runner = 0;

	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
	assert_int_equal(pipe(ends), 0);
	f->pid = fork();
	if (f->pid == 0) {
		pid_t child = fork();

		if (child == 0)
			be_runner(f, NULL);
		_exit(write(ends[1], &child, sizeof child) == sizeof child ? pause() : 1);
	}
	assert_int_equal(read(ends[0], &runner, sizeof runner), sizeof runner);
	call(f, "GET /health HTTP/1.1", LP_SPAN(""));
	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
	f->pid = 0;
	/* Nobody may have reaped it: a zombie is dead as well. */
	const char *path = lp_fmt(f->scope, "/proc/%d/stat", (int)runner);
	bool dead = false;

	for (int i = 0; i < 250 && !dead; i++) {
		char text[64] = "";
		FILE *file = fopen(path, "r");

		dead = !file || !fgets(text, sizeof text, file) || strstr(text, ") Z") || strstr(text, ") X");
		if (file)
			fclose(file);
		nap();
	}
	close(ends[0]);
	close(ends[1]);
	assert_true(dead);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pictures_come_back_with_their_seeds),
		TEST(health_says_which_models_are_stand_ins),
		TEST(bad_requests_are_refused_as_ai_runner_does),
		TEST(a_picture_is_enlarged_and_what_is_none_is_refused),
		TEST(what_is_no_picture_is_not_set_in_motion_and_is_the_clients_fault),
		TEST(a_picture_is_painted_anew_and_keeps_its_size),
		TEST(speech_is_a_wave_file_or_says_what_is_missing),
		TEST(what_is_not_fetched_says_how_to_fetch_it),
		TEST(a_token_is_wanted_when_one_is_set),
		TEST(health_answers_while_it_works_and_work_stops_when_the_client_goes),
		TEST(too_many_waiting_jobs_are_refused),
		TEST(it_stops_at_once_when_told),
		TEST(it_gave_up_what_it_does_not_need),
		TEST(it_dies_with_its_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
