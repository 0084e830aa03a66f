#include "plugins/lm/tokenizer/sentencepiece_file.h"

#include "tests/plugins/lm/weights/refusal.h"

#include <doctest/doctest.h>

using namespace stillroom;
using namespace stillroom::lm;

namespace {

std::string field(int number, const std::string& bytes) {
    return std::string(1, static_cast<char>(number << 3 | 2)) + static_cast<char>(bytes.size()) +
           bytes;
}

std::string piece(const std::string& text, int type, const std::string& more = "") {
    return field(1, field(1, text) + "\x18" + static_cast<char>(type) + more);
}

std::string refused(const std::string& bytes) {
    return refusal_of([&] { read_sentencepiece_file(bytes, "tokenizer.model"); });
}

}  // namespace

TEST_CASE("a .model is read field by field, in any order, with defaults") {
    std::string id_less_than_none = "\xD8\x02\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01";  // 43: -1
    SentencePieceFile file =
        read_sentencepiece_file(field(2, "\x18\x02" + id_less_than_none) + piece("<unk>", 2) +
                                    piece("<s>", 3) + field(9, "who knows") + piece("</s>", 3) +
                                    piece("a", 1, std::string("\x15\0\0\x80\xBF", 5)),
                                "tokenizer.model");
    CHECK(file.is_bpe);
    CHECK(file.padding == -1);
    CHECK(file.pieces.size() == 4);
    CHECK(file.pieces[3].score == -1.0f);
    CHECK(file.dummy_prefix);
    CHECK(file.remove_extra_blanks);
}

TEST_CASE("T8: what is no .model is refused at its byte") {
    std::string good = piece("<unk>", 2) + piece("a", 1) + piece("b", 1);
    CHECK(refused(good) == "nothing");
    CHECK(refused("") == "3: byte 0: no pieces: this is no SentencePiece model");
    CHECK(refused(std::string("\x0A\xFF", 2)) == "3: byte 2: the file ends inside a number");
    CHECK(refused("\x0A\xFF\xFF\xFF\xFF\x0F") ==
          "3: byte 6: a field of 4294967295 bytes where 0 are left");
    CHECK(refused("\x0B") == "3: byte 1: a field of the kind 3, which no such file has");
    CHECK(refused(std::string(12, '\xFF')) == "3: byte 10: a number longer than ten bytes");
    CHECK(refused(good + piece("c", 9)) == "3: byte 32: piece 3 is of the type 9, not 1 to 6");
    CHECK(refused(good + piece("c", 1, std::string("\x15\0\0\xC0\x7F", 5))) ==
          "3: byte 37: the score of piece 3 is no number");
    CHECK(refused(piece("a", 1)) == "3: byte 7: no piece stands for what is unknown");
    CHECK(refused(good + field(2, "\xC8\x02\x07")) ==
          "3: byte 30: the id 7 is not within the 3 pieces");
    CHECK(refused(good + field(2, "\x18\x03")) ==
          "3: byte 29: the model type 3 is neither 1 (unigram) nor 2 (BPE)");
}
