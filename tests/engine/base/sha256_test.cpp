#include "engine/base/sha256.h"

#include <doctest/doctest.h>

#include <string>

using stillroom::PlainSha256;
using stillroom::sha256_hex;
using stillroom::Sha256Code;

// The first three are FIPS 180-4's own; the others are from coreutils' sha256sum.
TEST_CASE("SHA-256 agrees with published digests around every padding length") {
    CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(sha256_hex(std::string(1'000'000, 'a')) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    CHECK(sha256_hex(std::string(55, 'x')) ==
          "d5e285683cd4efc02d021a5c62014694958901005d6f71e89e0989fac77e4072");
    CHECK(sha256_hex(std::string(56, 'x')) ==
          "04c26261370ee7541549d16dee320c723e3fd14671e66a099afe0a377c16888e");
    CHECK(sha256_hex(std::string(57, 'x')) ==
          "ae14a2563ccf969d99aca69ce6bb74981f734bbf9f655f73b8f06db68cab5217");
    CHECK(sha256_hex(std::string(63, 'x')) ==
          "75220b47218278e656f2013bb8f0c455a25eaf01e86c64924e9d48d89776d6f2");
    CHECK(sha256_hex(std::string(64, 'x')) ==
          "7ce100971f64e7001e8fe5a51973ecdfe1ced42befe7ee8d5fd6219506b5393c");
    CHECK(sha256_hex(std::string(65, 'x')) ==
          "9537c5fdf120482f7d58d25e9ed583f52c02b4e304ea814db1633ad565aed7e9");
    CHECK(sha256_hex(std::string(119, 'x')) ==
          "000b48d4edf0fa7bee3c6236ecd2785baa5db4eeb8bb54341b029e0d9fa5fb0c");
    CHECK(sha256_hex(std::string(120, 'x')) ==
          "13f05a0b594787f5ecd315edc96141bd3243203d1b7d4f0836f37308b276ba98");
}

TEST_CASE("plain code and the processor's own instructions give the same hash") {
    std::string bytes;
    for (std::size_t size = 0; size < 1000; ++size) {
        PlainSha256 fastest, portable(Sha256Code::portable);
        std::size_t cut = size * 7 % (size + 1);
        for (PlainSha256* hash : {&fastest, &portable}) {
            hash->add(std::string_view(bytes).substr(0, cut));
            hash->add(std::string_view(bytes).substr(cut));
        }
        REQUIRE(fastest.take() == portable.take());
        portable.add("abc");
        fastest.add("abc");
        REQUIRE(fastest.take() == portable.take());  // and again, after a take
        bytes.push_back(static_cast<char>(size * 131 >> 2));
    }
}

TEST_CASE("two hashes side by side are each what it is alone") {
    std::string bytes, others;
    for (std::size_t i = 0; i < 1500; ++i) {
        bytes.push_back(static_cast<char>(i * 131 >> 2));
        others.push_back(static_cast<char>(i * 37 >> 1));
    }
    for (Sha256Code code : {Sha256Code::fastest, Sha256Code::portable})
        for (std::size_t size : {0, 1, 63, 64, 65, 640, 1500})
            for (std::size_t other_size : {0, 64, 100, 128, 1472, 1500})
                for (std::size_t before : {0, 5, 64}) {
                    PlainSha256 one(code), other(code);
                    one.add(std::string_view(bytes).substr(0, before));
                    PlainSha256::add_both(one,
                                          std::string_view(bytes).substr(0, size),
                                          other,
                                          std::string_view(others).substr(0, other_size));
                    PlainSha256 alone, other_alone;
                    alone.add(bytes.substr(0, before) + bytes.substr(0, size));
                    other_alone.add(std::string_view(others).substr(0, other_size));
                    REQUIRE(one.take() == alone.take());
                    REQUIRE(other.take() == other_alone.take());
                }
}
