//! Questions about the state of the asker's own things: where *my* order is, what *I* owe. Their answers belong to one person.
//!
//! What anybody may ask in the same words and is told the same, "how do I cancel my order", is not among them, although it says "my".

use std::sync::LazyLock;

use regex::Regex;

use super::phrases::{any_of, expression};

/// What people own at the places that answer questions for them.
const THINGS: &str = "(orders?|packages?|parcels?|shipments?|deliver(y|ies)|cards?|payments?|transfers?|refunds?|money|funds|balances?|accounts?|subscriptions?|memberships?|plans?|bills?|invoices?|receipts?|statements?|transactions?|purchases?|spending|expenses|deposits?|withdrawals?|che(que|ck)s?|top up|paycheck|paychecks|pay|payday|salary|income|pension|savings|loans?|mortgage|debt|credit|score|rating|limits?|rewards?|points|miles|claims?|applications?|requests?|cases?|tickets?|bookings?|reservations?|flights?|trips?|itinerary|luggage|baggage|bags?|seats?|gate|appointments?|meetings?|schedule|calendar|agenda|visa|passport|insurance|policy|coverage|prescriptions?|results?|grades?|homework|assignments?|messages?|emails?|inbox|mail|notifications?|texts?|voicemails?|reminders?|alarms?|timers?|playlists?|lists?|todos?|notes?|files?|documents?|pto|vacation days|days off|leave|taxes|w2|usage|data|quota|profile|name|address|number|birthday|location|history|settings|preferences|warranty|licen[cs]e|registration|car|phone|fuel|gas|battery|tires?)";

/// What makes one of these [`THINGS`] a question when it stands before "my".
const ASKS_FOR: &[&str] = &[
    "(has|have|had|did|was|were|is|are|does|know if|see if|check if|tell me if|sure if)",
    "how (much|many|far|long|old|big|full|low|high)('s| is| are| of| do| does| did| was| were| will)?( it take)?( left)?( on| in| until| till| before| for)?",
    "(status|state|progress|whereabouts|balance|details|amount|total|date|copy) (of|on|for)",
    "(what|anything|something|much|many|there|left|item|items|money|charges?|transactions?)('s|s| is| are| was| do i have| have i got)?( left)?( still)? (on|in|at|from|to)",
    "(show|list|track|display|pull up|look up|view|see|read|check|find|get|fetch|bring up|tell|give|let|locate|open|review|report|know|verify)( to)?( me)?( know)?( about)?( up)?( on)?( out)?( what| where| when| how much| if)?( is| are)?( all)?( of)?( the)?( (balance|status|total|amount|list|details|number|name|date|contents|rest|items?|transactions?|charges?)( of| on| in| for| from)?)?",
];

/// Who and where one is; what one has, owes, did.
const ABOUT_ME: &[&str] = &[
    "(what|where)( all)? my|(where|what|when|which|who)('s|s|'re| is| are| was| were| did| does| do| will| would| should| can i expect)( all)? my",
    "my (order|application|claim|refund|delivery|shipment|payment|account|transfer|card|visa)('s)? status",
    "who am i|where am i|where do i (live|work)|how old am i|when was i born|what am i called|(do you )?(know|remember) (me|who i am|where i (am|live)|my name)|who i am|where i am",
    "(near|around|close to|closest to|nearest to|next to) me|nearby|around here|in my (area|city|town|neighbou?rhood|state|country)|(nearest|closest) (gas|petrol|atm|bank|branch|store|shop|supermarket|hospital|pharmacy|train|bus|subway|metro|station|airport|restaurant|cafe|hotel|doctor|park|mechanic)",
    "do i (still |already |currently )?owe|do i (still |already |currently )?have (any|enough|an?|some|more|much|many|left|new|unread|money|access|time|insurance|plans|meetings|appointments|reminders|[a-z]+ left|on my|in my)",
    "how (much|many)( [a-z]+){0,3} (do|did|have|had) i( still| currently| already)? (owe|have|got|get|spend|spent|earn|earned|make|made|pay|paid|save|saved|use|used|take|taken|left|burn|eat|walk)",
    "how (much|many)( [a-z]+){0,3} (i (still )?(have|owe|spent|earned|used|paid|made|took)|am i|(have i|i have|i've) (left|accrued|accumulated|available|remaining|used|taken|earned|spent|paid))",
    "am i (still |already |currently |being )*(eligible|entitled|allowed|approved|due|late|covered|insured|enrolled|registered|subscribed|signed up|logged in|owed|overdrawn|charged|billed|paying|supposed|scheduled|booked|free|busy|on track|low|out of|qualified|verified|blocked)",
    "(was|were) i( [a-z]+)? (charged|billed|debited|paid|refunded|approved|accepted|rejected|declined|denied|refused|blocked|locked|logged|supposed|credited)",
    "why (am i|was i|were we|have i been|did i get|did you|i was|i am)( still)?( being)? (charged|billed|debited|refused|denied|declined|rejected|blocked|locked|logged|charge|bill|banned|suspended)",
    "(have|had) i( [a-z]+)? (been|paid|received|got|gotten|used|spent|reached|exceeded|missed|ordered|booked|received|earned|saved|submitted|registered|run)",
    "did (i|we)( [a-z]+)? (pay|order|buy|book|get|receive|miss|spend|forget|submit|sign|register|send|leave|set|take|win|pass|make|remember|already)",
    "(what|which [a-z]+|when|where|who) (did|have|had) i (last |just |already |ever )?(order|ordered|buy|bought|pay|paid|spend|spent|ask|asked|say|said|tell|told|do|done|eat|eaten|book|booked|purchase|purchased|schedule|scheduled|put|park|parked|leave|sign|start|join|subscribe|register|save|saved|save|take|send|sent|receive|make|visit|change|create|open|last)",
    "what do i (still )?(owe|have (on|in|left|planned|scheduled|going|coming))|when (do|am|will) i (next |be )?(get paid|paid|due|get my|receive my|renew|expire|scheduled|off|have)",
];

fn asks_for_things() -> String {
    format!("({}) my ([a-z-]+ ){{0,3}}?{THINGS}", ASKS_FOR.join("|"))
}

/// How something is done, and what may be done, is the same for everybody.
const HOW_TO: &[&str] = &[
    "how (do|does|can|could|should|would|might|to|must|may)|how i (can|could|should|would|do|might)",
    "(can|could|may|should|must|would|shall) (i|we)|what (should|can|could|must|would|might|if|happens)|what do i (do|need)|i need to do",
    "is (it|there)( a| any| an)? (possible|ways?|okay|ok|safe|normal|legal|better|good)|ways? (to|of|for)|steps|tips|best|easiest|examples? of",
    "(where|who|when) (can|could|should|must) (i|we)",
];

const PERSON: &str = "(user|customer|client|member|patient|employee|student|subscriber|guest)";

/// Whose question it is, where an app tells it: a label and the value behind it.
fn told() -> [String; 3] {
    let is = r#"["'*]{0,3}\s*(is\s|[:=])\s*["'*]{0,3}"#;
    let part = r"('s)?[\s_-]?";
    [
        format!(r"({PERSON}|account|order|ticket|policy){part}(id|number|no|nr|reference)\.?{is}[a-z#_-]{{0,8}}[0-9]+"),
        format!(r"{PERSON}{part}((full|first)[\s_-])?name{is}[a-z]+"),
        format!(r"{PERSON}{part}e-?mail(\s+address)?{is}[a-z0-9._+-]+@[a-z0-9]+"),
    ]
}

static ABOUT_ASKER: LazyLock<Regex> = LazyLock::new(|| any_of(&[&[&*asks_for_things()], ABOUT_ME].concat()));
static ABOUT_ANYONE: LazyLock<Regex> = LazyLock::new(|| any_of(HOW_TO));
static TELLS_ASKER: LazyLock<Regex> = LazyLock::new(|| expression(&told()));

/// Builds the expressions.
pub(super) fn prepare() {
    LazyLock::force(&ABOUT_ASKER);
    LazyLock::force(&ABOUT_ANYONE);
    LazyLock::force(&TELLS_ASKER);
}

/// Whether the answer to this question depends on who asks it.
pub(super) fn asks_about_asker(question: &str) -> bool {
    question.split(['.', '?', '!', ';', '\n']).any(|sentence| {
        let asker = ABOUT_ASKER.find(sentence);
        asker.is_some_and(|asker| ABOUT_ANYONE.find(sentence).is_none_or(|anyone| asker.start() <= anyone.start()))
    })
}

/// Whether this earlier text says who asks. It is part of the scope, so the scope is that person's.
pub(super) fn tells_asker(earlier: &str) -> bool {
    TELLS_ASKER.is_match(earlier)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPENDS: &str = "
Where is my order?
where's my package
Where are my refunds?
When will my card arrive?
When does my subscription renew?
When is my bill due?
What is my balance?
What's my account balance?
whats my credit limit
What is my name?
I forgot, what are my results?
Has my refund arrived?
Have my documents been received?
Did my payment go through?
Is my account locked?
Is my flight on time?
Was my order shipped?
What's the status of my application?
Could you look into the status of my claim?
my order status
Show my orders
Show me all of my transactions.
Track my package
Please check my balance
Tell me my account number
Can you tell me when my parcel will be here?
List my meetings
Read me my messages
What's on my calendar?
Is there anything on my shopping list?
How much money is left on my card?
How much do I owe?
How much did I spend on food?
How many vacation days do I have left?
What did I order?
When did I pay the invoice?
Which plan did I buy?
Did I pay the rent?
Have I been charged twice?
Am I eligible for the discount?
Am I still subscribed?
Do I have any unread messages?
Do I have enough money for rent?
Do I still owe something?
Why was I charged twice?
Who am I?
Where am I?
Do you remember my name?
Where is the nearest pharmacy?
What restaurants are near me?";

    const REUSABLE: &str = "
How do I reset my password?
How can I track my order?
How do I check my balance?
Can I cancel my order?
Could I change my delivery address?
Should I insure my phone?
What happens if I lose my card?
What should I do if my card is stolen?
How long may I keep my library books?
Cancel my subscription
I want to close my account
I lost my card.
My dog ate chocolate, is that dangerous?
How can I improve my English?
How do I know if my refund was approved?
Is it possible to change my username?
Is there a way to see my statements online?
What is the best way to save my files?
What do I need to renew my passport?
Where can I find my account number?
Who should I call about my insurance?
How would you describe a good manager?
Why is the sky blue?
Do I have to pay tax on gifts?
Do I need a visa for Japan?
Am I wrong to think that cats are clever?
How much should I save each month?
How many eggs do I need for a cake?
How much water should I drink?
What should I cook for two people?
What is a credit limit?
What is an order status?
How does package tracking work?
How are refunds paid?
What is the nearest star to the sun?
Who was the first person on the moon?
Where is the liver?
Write an email to my boss about a day off.
Translate my sentence into French.
Help me with my essay about whales.
Proofread my letter
Fix the bug in my code
Can we pay by invoice?
May I return an opened package?
How do I explain fractions to my son?
When should I water my plants?
What can I do when my payment fails?";

    #[test]
    fn a_question_about_the_asker_is_known() {
        let missed: Vec<_> = DEPENDS.lines().skip(1).filter(|question| !asks_about_asker(question)).collect();
        assert_eq!(missed, [""; 0]);
    }

    #[test]
    fn a_question_that_anybody_may_ask_is_not_held_back() {
        let held: Vec<_> = REUSABLE.lines().filter(|question| asks_about_asker(question)).collect();
        assert_eq!(held, [""; 0]);
    }

    #[test]
    fn only_a_label_with_a_value_tells_the_asker() {
        let told = [
            "Customer ID: 48113",
            "customer_id=C-48113",
            "The user's name is Ada.",
            r#"{"user_name": "ada"}"#,
            "User email: ada@example.com",
            "Order number: 1507",
            "Account no. = 77-1",
        ];
        assert_eq!(told.into_iter().filter(|text| !tells_asker(text)).collect::<Vec<_>>(), [""; 0]);
        let not_told = [
            "You are the assistant of Acme.",
            "Write to support@example.com for help.",
            "Ask for the customer's order number.",
            "Never repeat the user's name.",
            "User: where is it?",
            "Order 66 is a film scene.",
        ];
        assert_eq!(not_told.into_iter().filter(|text| tells_asker(text)).collect::<Vec<_>>(), [""; 0]);
    }
}
