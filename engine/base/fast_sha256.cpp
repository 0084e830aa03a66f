#include "engine/base/fast_sha256.h"

#include "engine/base/error.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <openssl/evp.h>

#include <iterator>

namespace stillroom {
namespace {

/// What we use of libcrypto, which has code for every processor. Linked, it would cost every
/// process three milliseconds at its start, so it is opened by the first one that has much to hash
/// on a processor whose own instructions sha256.h does not know; where it is not installed our own
/// code does the work, five times slower.
struct Crypto {
    decltype(&EVP_MD_CTX_new) make = nullptr;
    decltype(&EVP_MD_CTX_free) free = nullptr;
    decltype(&EVP_MD_fetch) fetch = nullptr;
    decltype(&EVP_DigestInit_ex2) init = nullptr;
    decltype(&EVP_DigestUpdate) update = nullptr;
    decltype(&EVP_DigestFinal_ex) end = nullptr;
    EVP_MD* sha256 = nullptr;  // looked up once: each look-up takes locks
};

const Crypto& crypto() {
    static const Crypto functions = [] {
        void* library = ::dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
        Crypto found;
        bool complete = library != nullptr;
        auto take = [&](auto& function, const char* name) {
            if (library)
                function =
                    reinterpret_cast<std::decay_t<decltype(function)>>(::dlsym(library, name));
            complete = complete && function;
        };
        take(found.make, "EVP_MD_CTX_new");
        take(found.free, "EVP_MD_CTX_free");
        take(found.fetch, "EVP_MD_fetch");
        take(found.init, "EVP_DigestInit_ex2");
        take(found.update, "EVP_DigestUpdate");
        take(found.end, "EVP_DigestFinal_ex");
        if (complete)
            found.sha256 = found.fetch(nullptr, "SHA256", nullptr);
        return found;
    }();
    return functions;
}

void check(int done) {
    if (done != 1)
        throw Error({}, "libcrypto cannot work out a SHA-256").exit_code(kExitResource);
}

}  // namespace

FastSha256::FastSha256(std::uint64_t bytes) {
    if (bytes < kMuchToHash || plain_.is_fast() || !crypto().sha256)
        return;
    state_ = crypto().make();
    reset();
}

FastSha256::~FastSha256() {
    if (state_)
        crypto().free(state_);
}

void FastSha256::add(std::string_view bytes) {
    if (state_)
        check(crypto().update(state_, bytes.data(), bytes.size()));
    else
        plain_.add(bytes);
}

PlainSha256::Hash FastSha256::take() {
    if (!state_)
        return plain_.take();
    PlainSha256::Hash hash{};
    check(crypto().end(state_, hash.data(), nullptr));
    reset();
    return hash;
}

void FastSha256::add_both(FastSha256& one,
                          std::string_view bytes,
                          FastSha256& other,
                          std::string_view more) {
    if (!one.state_ && !other.state_)
        return PlainSha256::add_both(one.plain_, bytes, other.plain_, more);
    one.add(bytes);
    other.add(more);
}

void FastSha256::reset() {
    check(crypto().init(state_, crypto().sha256, nullptr));
}

std::string hex(const PlainSha256::Hash& hash) {
    std::string text;
    for (unsigned char byte : hash)
        fmt::format_to(std::back_inserter(text), "{:02x}", byte);
    return text;
}

}  // namespace stillroom
