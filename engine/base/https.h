#pragma once

#include "engine/base/api.h"

#include <cstddef>
#include <string>

namespace stillroom {

struct HttpsLimits {
    std::size_t bytes = 1 << 20;  ///< of the answer
    double seconds = 60;          ///< for all of it, further tries and the waits between included
};

/// What lies at an https address. Sends no credentials, no cookies, nothing from a .netrc, follows
/// redirects to https alone, and tries again where that can help. HTTPS_PROXY and NO_PROXY count,
/// and the certificates in STILLROOM_CA_BUNDLE or SSL_CERT_FILE. Throws Error: exit 5, or 10 for an
/// address that no recipe may name.
STILLROOM_API std::string fetch_https(const std::string& address, const HttpsLimits& limits);

/// Why nothing may be fetched from the address, or an empty text: another scheme, a user name or
/// password in it, blanks or control characters.
STILLROOM_API std::string address_fault(const std::string& address);

}  // namespace stillroom
