//! Questions whose answer depends on when they are asked: they are never answered with what was said to another question at another time.
//!
//! The lists hold what English questions about now have in common. They are not a parser: what they miss is bounded by an entry's time to live, and what they
//! take for a question about now is still answered from the exact tier.

use std::sync::LazyLock;

use regex::Regex;

use super::phrases::{any_of, expression};

const NOW: &[&str] = &[
    "today('s)?|tonight('s)?|tomorrow('s)?|yesterday('s)?|nowadays|currently",
    "(right|just|as of|until|up to) now|these days|at (the|this|present) moment|at present|as we speak",
    // "Now" alone is often no more than a word to begin with; at the end or after a form of "to be" it is a time.
    "(is|are|it's|that's|open|available|happening|going on|doing|like|here|there) now",
    "(this|last|next|past|coming|previous|current) (week|weekend|month|year|quarter|season|semester|night|morning|afternoon|evening|spring|summer|fall|autumn|winter|monday|tuesday|wednesday|thursday|friday|saturday|sunday)('s)?",
    "(minutes?|hours?|days?|weeks?|months?|years?) ago|(in|for|over|within) the ((last|past) ([a-z0-9]+ )?(minutes?|hours?|days?|weeks?|months?|year)|(next|coming) ([a-z0-9]+ )?(minutes?|hours?|days?|weeks?|months?|years?))",
    "(how (long|soon|much longer)|how many [a-z]+) (is it |are there |do we have |are left |left |remain )?(until|till|before|to go)",
    "latest|newest|most recent|up to date|breaking news|the news|in the news|headlines|recent (news|events|developments|changes)",
    "current (time|date|day|year|month|weather|temperature|price|prices|rate|rates|interest rate|exchange rate|score|scores|status|state|situation|version|events|affairs|news|trends?|market|value|location|president|prime minister|government|ceo|champions?|population|record|traffic|balance)",
    // The clock and the calendar.
    "(what|which) (time|day|date|month|year) (is it|it is|is this|are we|is now)|how late is it|(what's|what is|tell me|give me|know|got|have) the ((current|exact|local|right|correct) )?(time|date|day of the week)( now| please| in| at| is|$)",
    "(current|exact|local) ([a-z]+ )?time|(time|date) in [a-z]+ (now|today)",
    // The weather and the road.
    "(what|how)('s| is|s| will| does| was) (the )?weather|weather (like|report|forecast|outside|conditions|going to be|be like|look|in)|the weather (for|at|there|here)|kind of weather|(the|give me a|local) forecast|it like outside|how is it outside|will it (rain|snow|storm|be (hot|cold|warm|sunny|windy))|is it (going to )?(rain|snow|raining|snowing|(hot|cold|warm|sunny|windy|humid|cloudy) (in|out|there|outside))|need an umbrella|temperature (outside|in [a-z]+)",
    "(how's|how is|how bad is|is there( any| a lot of| much)?|what's|what is) (the )?traffic",
    // Markets, scores and timetables.
    "(price|value) of (a )?(gold|silver|oil|gas|bitcoin|btc|ethereum|eth)|(stock|share|bitcoin|gold|oil|gas|petrol) prices?|(what's|what is|what are|give me|tell me) (the )?([a-z]+ ){0,3}exchange rates?|how('s| is| are) the (stock )?markets?",
    "who('s| is) (winning|leading|ahead|playing)|(what's|what is|what was) the (final )?score|(final )?score of the",
    "(when|where)('s| is| does| are) (the |my |our )?next|next (bus|train|flight|game|match|election|episode|holiday|payday|meeting|appointment|full moon|eclipse)",
    "(is|are) ([a-z]+ ){1,4}(still|already) (open|closed|available|alive|running|down|working|president|married|in stock|on sale)|(is|are) ([a-z]+ ){1,4}(down|open) (for anyone|right|late)",
];

const MONTH: &str = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*";

/// The date or the time of asking, where an app tells it: with a label, for a date alone may be that of a document.
fn told() -> String {
    let label = r"(today|(current|present|local)[\s_-](date|time|day|datetime)|date and time|the (date|time|day) is|it is now)";
    let between = r#"[a-z,:="'*()\s]{1,32}?"#;
    let value = format!(
        r"([0-9]{{4}}-[0-9]{{2}}|[0-9]{{1,2}}[:/.][0-9]{{1,2}}|{MONTH}\.?\s+[0-9]{{1,4}}|[0-9]{{1,2}}(st|nd|rd|th)?(\s+of)?\s+{MONTH})"
    );
    format!("{label}{between}{value}")
}

static ABOUT_NOW: LazyLock<Regex> = LazyLock::new(|| any_of(NOW));
static TELLS_NOW: LazyLock<Regex> = LazyLock::new(|| expression(&[told()]));

/// Builds the expressions.
pub(super) fn prepare() {
    LazyLock::force(&ABOUT_NOW);
    LazyLock::force(&TELLS_NOW);
}

/// Whether the answer to this question changes with the time.
pub(super) fn asks_about_now(question: &str) -> bool {
    ABOUT_NOW.is_match(question)
}

/// Whether this earlier text says when the question is asked. It is part of the scope, so the scope changes with the time.
pub(super) fn tells_now(earlier: &str) -> bool {
    TELLS_NOW.is_match(earlier)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPENDS: &str = "
What time is it?
what's the time in Tokyo
Can you tell me what day it is today?
Which date is it?
How late is it?
What is the current time in Sydney?
Do you know what month it is?
What's the weather like?
How is the weather in Oslo?
what’s the weather going to be on Sunday
Will it rain this afternoon?
Is it cold outside?
Should I take a coat tomorrow?
Do I need an umbrella?
What is the temperature outside?
Give me the forecast for Lisbon
Is the museum open today?
Is the shop open now?
Are the trains running right now?
Who is winning the match?
What was the best move in the game last night?
What is the score?
When is the next train to Leeds?
When's the next holiday?
What is the price of gold?
bitcoin price
What's the dollar to yen exchange rate?
How is the stock market?
What is the latest version of the app?
What's in the news?
Show me the headlines
Who is the current president of Chile?
What are the current mortgage rates? What is the current rate?
How long until Christmas?
How many days until the summer sale?
What happened yesterday?
What did the company announce last week?
What is planned for next month?
What are people reading these days?
What is the most popular film this year?
How has demand been in the last 2 hours?
How's the traffic on the bridge?
Is the service still down?
Who left the team three weeks ago?
What's the newest phone they make?
Are there any concerts tonight?";

    const REUSABLE: &str = r#"
What is the capital of Peru?
How do I tell the time from an analogue clock?
What is time?
How long is a day on Mars?
Why is the sky blue?
When was the bridge built?
When did the war end?
What is the best time to visit Kyoto?
How does a weather vane work?
What is the difference between weather and climate?
What causes rain?
How is snow made?
Explain direct current and alternating current.
What is a current account?
How do I open a current account?
Do you know a good soup?
I know nothing about cars, how do engines work?
What happens next in the story?
What is the next step after boiling?
What is the price of a stamp?
How are exchange rates determined?
How does a stock exchange work?
Write a poem about autumn.
Summarise the second chapter.
Who won the 1998 world cup?
What year did the first satellite fly?
How many days are in February?
How old was Mozart when he died?
What is the plot of the novel?
How do I set the clock on an oven?
How many minutes should I boil an egg?
Which months have thirty days?
How long does a passport last?
What's the meaning of a red sunset?
Name the seasons of the year.
Is a tomato a fruit?
What does "carpe diem" mean?
Translate good morning to Italian.
How do I schedule a message?
What is a time zone?
How do clouds form?
What time do Spaniards usually eat dinner?
How do I calculate someone's age?
When should roses be cut?"#;

    #[test]
    fn a_question_about_now_is_known() {
        let missed: Vec<_> = DEPENDS.lines().skip(1).filter(|question| !asks_about_now(question)).collect();
        assert_eq!(missed, [""; 0]);
    }

    #[test]
    fn a_question_with_a_lasting_answer_is_not_held_back() {
        let held: Vec<_> = REUSABLE.lines().filter(|question| asks_about_now(question)).collect();
        assert_eq!(held, [""; 0]);
    }

    #[test]
    fn only_a_label_with_a_date_or_a_time_tells_now() {
        let told = [
            "Today is Friday, November 20, 2026.",
            "Today's date: 2026-11-20",
            "current date: 20 November 2026",
            "The current time is 14:05.",
            r#"{"current_datetime": "2026-11-20T10:00:00Z"}"#,
            "The date is 11/20/2026",
            "It is now 09:30 in Berlin",
        ];
        assert_eq!(told.into_iter().filter(|text| !tells_now(text)).collect::<Vec<_>>(), [""; 0]);
        let not_told = [
            "You are a helpful assistant.",
            "Knowledge cutoff: 2024-06",
            "These terms are valid from 2024-01-01.",
            "Today we offer 20 % off.",
            "Answer questions about today.",
            "The author was born on March 3, 1950.",
        ];
        assert_eq!(not_told.into_iter().filter(|text| tells_now(text)).collect::<Vec<_>>(), [""; 0]);
    }
}
