#include "ocr.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <lpd/base/mem.h>

#include "resize.h"

#define AUTOMATIC 3		/* page segmentation */
#define SURE 65			/* below this what is read is noise */
#define SMALL 800		/* a picture whose longer side is below this is read at twice its size */
#define MARGIN 12		/* white pixels around it: letters at the very edge are missed */
#define LETTERS 2		/* fewer are noise */

struct tess;
struct tess_monitor;

struct lp_reader {
	void *library;
	struct tess *api;
	const char *(*version)(void);
	struct tess *(*create)(void);
	void (*delete_api)(struct tess *api);
	int (*init)(struct tess *api, const char *data, const char *language);
	void (*end)(struct tess *api);
	int (*set_variable)(struct tess *api, const char *name, const char *value);
	void (*set_mode)(struct tess *api, int mode);
	void (*set_image)(struct tess *api, const unsigned char *at, int w, int h, int bytes_per_pixel,
			  int bytes_per_line);
	int (*recognize)(struct tess *api, struct tess_monitor *monitor);
	char *(*text)(struct tess *api);
	int (*sureness)(struct tess *api);
	void (*delete_text)(const char *text);
	void (*clear)(struct tess *api);
	struct tess_monitor *(*monitor)(void);
	void (*delete_monitor)(struct tess_monitor *monitor);
	void (*set_cancel)(struct tess_monitor *monitor, bool (*fn)(void *self, int words));
	void (*set_cancel_self)(struct tess_monitor *monitor, void *self);
	void (*set_deadline)(struct tess_monitor *monitor, int ms);
};

static bool bind(struct lp_reader *r, const char *name, void *to)
{
	void *found = dlsym(r->library, name);

	memcpy(to, &found, sizeof found);
	return found != NULL;
}

static bool bind_all(struct lp_reader *r)
{
	return bind(r, "TessVersion", &r->version) && bind(r, "TessBaseAPICreate", &r->create) &&
	       bind(r, "TessBaseAPIDelete", &r->delete_api) && bind(r, "TessBaseAPIInit3", &r->init) &&
	       bind(r, "TessBaseAPIEnd", &r->end) && bind(r, "TessBaseAPISetVariable", &r->set_variable) &&
	       bind(r, "TessBaseAPISetPageSegMode", &r->set_mode) && bind(r, "TessBaseAPISetImage", &r->set_image) &&
	       bind(r, "TessBaseAPIRecognize", &r->recognize) && bind(r, "TessBaseAPIGetUTF8Text", &r->text) &&
	       bind(r, "TessBaseAPIMeanTextConf", &r->sureness) && bind(r, "TessDeleteText", &r->delete_text) &&
	       bind(r, "TessBaseAPIClear", &r->clear) && bind(r, "TessMonitorCreate", &r->monitor) &&
	       bind(r, "TessMonitorDelete", &r->delete_monitor) &&
	       bind(r, "TessMonitorSetCancelFunc", &r->set_cancel) &&
	       bind(r, "TessMonitorSetCancelThis", &r->set_cancel_self) &&
	       bind(r, "TessMonitorSetDeadlineMSecs", &r->set_deadline);
}

static void close_reader(void *arg)
{
	struct lp_reader *r = arg;

	if (r->api) {
		r->end(r->api);
		r->delete_api(r->api);
	}
	/* The library stays loaded: it has threads' and C++'s own things to end at exit. */
}

enum lp_code lp_reader_open(struct lp_scope *scope, struct lp_reader **out, const char *library, struct lp_err *e)
{
	struct lp_reader *r = lp_new(scope, struct lp_reader);

	*out = NULL;
	setenv("OMP_THREAD_LIMIT", "1", 0);	/* one thread a job: several only wait for each other */
	r->library = dlopen(library, RTLD_NOW | RTLD_NODELETE);
	if (!r->library || !bind_all(r))
		return lp_fail(e, LP_UNAVAILABLE, "%s cannot be loaded", library);
	lp_defer(scope, close_reader, r);
	r->api = r->create();
	r->set_variable(r->api, "debug_file", "/dev/null");
	if (r->init(r->api, NULL, "eng") != 0)
		return lp_fail(e, LP_UNAVAILABLE, "Tesseract has no data of English");
	r->set_mode(r->api, AUTOMATIC);
	r->set_variable(r->api, "user_defined_dpi", "200");
	*out = r;
	return LP_OK;
}

const char *lp_reader_version(const struct lp_reader *reader)
{
	return reader->version();
}

static bool cancelled(void *self, int words)
{
	(void)words;
	return lp_stopped(self);
}

/* Bytes of grey with a white margin. */
static unsigned char *grey(struct lp_scope *tmp, const struct lp_image *im, int size[2])
{
	int longest = im->w > im->h ? im->w : im->h;

	if (longest < SMALL)
		im = lp_image_resize(tmp, im, im->w * 2, im->h * 2);
	size[0] = im->w + 2 * MARGIN;
	size[1] = im->h + 2 * MARGIN;
	unsigned char *to = lp_new_array(tmp, unsigned char, (size_t)size[0] * (size_t)size[1]);

	memset(to, 255, (size_t)size[0] * (size_t)size[1]);
	for (int y = 0; y < im->h; y++) {
		for (int x = 0; x < im->w; x++) {
			const float *p = lp_image_at(im, x, y);
			float v = 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2] + 1.0f - p[3];

			to[(size_t)(y + MARGIN) * (size_t)size[0] + (size_t)(x + MARGIN)] = lp_byte(v);
		}
	}
	return to;
}

static bool letter(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static void keep(struct lp_scope *scope, struct lp_read *out, const char *text)
{
	struct lp_span s = lp_span(text);
	int letters = 0;

	while (s.len && strchr(" \n\t\f\r", s.at[0]))
		s = lp_span_skip(s, 1);
	while (s.len && strchr(" \n\t\f\r", s.at[s.len - 1]))
		s.len--;
	for (size_t i = 0; i < s.len; i++)
		letters += letter(s.at[i]);
	if (out->sureness >= SURE && letters >= LETTERS)
		out->text = lp_span_dup(scope, s);
}

enum lp_code lp_reader_read(struct lp_scope *scope, struct lp_read *out, const struct lp_read_want *want,
			    struct lp_err *e)
{
	const struct lp_reader *reader = want->reader;
	struct lp_scope *tmp = lp_scope_open(NULL, "read");
	struct tess_monitor *monitor = reader->monitor();
	/* Its interface has no const; it only hands the pointer back. */
	union {
		const struct lp_stop *from;
		void *to;
	} self = { .from = want->stop };
	int size[2];
	const unsigned char *at = grey(tmp, want->picture, size);

	*out = (struct lp_read){ .text = { "", 0 } };
	reader->set_cancel(monitor, cancelled);
	reader->set_cancel_self(monitor, self.to);
	reader->set_deadline(monitor, LP_OCR_SECONDS * 1000);
	reader->set_image(reader->api, at, size[0], size[1], 1, size[0]);
	bool done = reader->recognize(reader->api, monitor) == 0 && !lp_stopped(want->stop);
	char *text = done ? reader->text(reader->api) : NULL;

	if (text) {
		out->sureness = reader->sureness(reader->api);
		keep(scope, out, text);
		reader->delete_text(text);
	}
	reader->clear(reader->api);
	reader->delete_monitor(monitor);
	lp_scope_close(&tmp);
	if (lp_stopped(want->stop))
		return lp_fail(e, LP_GONE, "stopped");
	return done ? LP_OK : lp_fail(e, LP_RUNNER, "the text could not be read");
}
