/* base/sanitizer - whether this build has a sanitizer that maps terabytes of addresses: limits of address space, and
 * a few of a sandbox's refusals, are not for it. */
#ifndef LPD_BASE_SANITIZER_H
#define LPD_BASE_SANITIZER_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LP_SANITIZED 1
#endif
#endif
#if !defined(LP_SANITIZED) && (defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__))
#define LP_SANITIZED 1
#endif

#endif
