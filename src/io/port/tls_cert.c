/* The self-signed certificate of a node that was given none (network-protocol 2.1 says what peers expect). */
#include <arpa/inet.h>
#include <stdio.h>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <lpd/base/assert.h>
#include <lpd/base/scope.h>

#include "tls_ctx.h"

#define DAYS (10 * 365L)	/* nobody renews what nobody checks; ten years outlive the machine */

static void set_serial(X509 *cert)
{
	unsigned char bytes[16];

	lp_assert(RAND_bytes(bytes, sizeof(bytes)) == 1);
	bytes[0] &= 0x7f;	/* positive, RFC 5280 4.1.2.2 */
	bytes[0] |= 0x40;	/* and of full length */
	BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	lp_assert(number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)));
	BN_free(number);
}

static void add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	lp_assert(extension != NULL);
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
}

/* Built from its parts, since a host from the command line may hold what the text form of extensions
 * would take apart (commas). */
static void add_names(X509 *cert, struct lp_span host)
{
	struct lp_scope *scope = lp_scope_open(NULL, "certificate");
	const char *text = lp_strdup(scope, host);
	ASN1_OCTET_STRING *address = a2i_IPADDRESS(text);
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *name = GENERAL_NAME_new();

	if (address) {
		GENERAL_NAME_set0_value(name, GEN_IPADD, address);
	} else {
		ASN1_IA5STRING *dns = ASN1_IA5STRING_new();
		ASN1_STRING_set(dns, host.len ? text : "localhost", -1);
		GENERAL_NAME_set0_value(name, GEN_DNS, dns);
	}
	sk_GENERAL_NAME_push(names, name);
	lp_assert(X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) == 1);
	GENERAL_NAMES_free(names);
	lp_scope_close(&scope);
}

/* RFC 5280 4.1.2.4 wants an issuer that is not empty, and so does libcurl when it checks one. */
static void add_issuer(X509 *cert)
{
	static const unsigned char ours[] = "lpd";
	X509_NAME *name = X509_get_subject_name(cert);

	lp_assert(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, ours, -1, -1, 0) == 1);
	lp_assert(X509_set_issuer_name(cert, name) == 1);
}

static X509 *make_cert(EVP_PKEY *key, struct lp_span host)
{
	X509 *cert = X509_new();

	lp_assert(cert && X509_set_version(cert, X509_VERSION_3) == 1);
	set_serial(cert);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);	/* clocks of peers are not ours */
	X509_time_adj_ex(X509_getm_notAfter(cert), DAYS, 0, NULL);
	lp_assert(X509_set_pubkey(cert, key) == 1);
	add_issuer(cert);
	add_names(cert, host);
	add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(cert, NID_key_usage, "critical,digitalSignature,keyCertSign");
	add_extension(cert, NID_ext_key_usage, "serverAuth");
	lp_assert(X509_sign(cert, key, EVP_sha256()) > 0);
	return cert;
}

static void take_bio(struct lp_buf *to, BIO *bio)
{
	char *at = NULL;
	long len = BIO_get_mem_data(bio, &at);

	lp_buf_add(to, at, (size_t)len);
	BIO_free(bio);
}

void lp_tls_make_pair(struct lp_span host, struct lp_buf *cert_pem, struct lp_buf *key_pem)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	lp_assert(key != NULL);
	X509 *cert = make_cert(key, host);
	BIO *bio = BIO_new(BIO_s_mem());
	lp_assert(PEM_write_bio_X509(bio, cert) == 1);
	take_bio(cert_pem, bio);
	bio = BIO_new(BIO_s_mem());
	lp_assert(PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
	take_bio(key_pem, bio);
	X509_free(cert);
	EVP_PKEY_free(key);
}
