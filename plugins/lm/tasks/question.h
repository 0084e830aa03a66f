#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace stillroom::lm {

/// A question with answers to choose from, as its file has it.
struct Question {
    std::string text;
    std::vector<std::string> choices;
    std::size_t answer = 0;  ///< the right one
};

/// Questions that are asked after the same solved examples.
struct Subject {
    std::string name;  ///< as in the file names: abstract_algebra
    std::vector<Question> examples, questions;
};

struct QuestionSet {
    std::vector<Subject> subjects;  ///< by name
    std::string form;               ///< what the files are, in words
    std::string digest;             ///< of the files that were read

    std::size_t questions() const {
        std::size_t count = 0;
        for (const Subject& subject : subjects)
            count += subject.questions.size();
        return count;
    }
};

}  // namespace stillroom::lm
