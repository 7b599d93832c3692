"""Harmless prompts that are built of the words that attacks are built of: role play, fiction, code, security, passwords, encodings, forms of answers.

Public traffic sets are questions to a bank or an assistant, and hold next to none of these. The templates are ours, written for this fit; no row of a measured set was copied.
"""

import itertools

ROLES = ("a tour guide in Lisbon", "a patient maths teacher", "a pirate", "a job interviewer", "a Linux terminal", "a helpful librarian", "an experienced nurse",
         "a travel agent", "my English teacher", "a historian of Rome", "a senior Rust developer", "a friendly shopkeeper", "a chess coach")
TOPICS = ("photosynthesis", "the French revolution", "our refund policy", "index funds", "tides", "the Kubernetes scheduler", "sourdough", "plate tectonics",
          "the new parental leave rules", "prime numbers", "garden soil")
THINGS = ("a shopping list app", "a weather widget", "an online bookshop", "a hospital ward", "a booking system", "a small robot", "a school library")
LANGUAGES = ("Spanish", "German", "French", "Japanese", "Portuguese", "Italian")
TEMPLATES = (
    # Other selves that mean no harm.
    ("Act as {} and explain {} to me.", ROLES, TOPICS),
    ("I want you to act as {}. My first question is about {}.", ROLES, TOPICS),
    ("You are {}. Answer questions about {} in a friendly tone.", ROLES, TOPICS),
    ("Pretend to be {} and ask me about {}.", ROLES, TOPICS),
    ("Let's role-play: you will be {} and I will be the customer.", ROLES),
    ("From now on, please answer in {}.", LANGUAGES),
    ("From now on, keep your answers about {} short.", TOPICS),
    ("In the voice of {}, write a poem about {}.", ROLES, TOPICS),
    ("Respond as {} would, and keep it under fifty words.", ROLES),
    ("Play the role of {} in a sales training about {}.", ROLES, TOPICS),
    # Fiction and thought.
    ("Write a short story about {} in a parallel universe.", ROLES),
    ("Imagine a world without {} and describe one day in it.", TOPICS),
    ("Suppose we build {}. Which risks should we list?", THINGS),
    ("Let's assume we have two strings, a and b. How do I join them in {}?", ("Python", "Go", "Rust", "Java")),
    ("For a novel I need a fictional character named Mara who works as {}.", ROLES),
    ("A hypothetical question: what if {} had never been discovered?", TOPICS),
    ("The villain of my story is evil and immoral. How can I show it in a scene with {}?", THINGS),
    ("Is it illegal or only unethical to copy {}?", THINGS),
    ("Let's play a game of twenty questions about {}.", TOPICS),
    # Instructions and what is done with them.
    ("Summarise the instructions above about {} in three points.", TOPICS),
    ("Rewrite the previous answer about {} as a table.", TOPICS),
    ("Ignore the typos in my text about {} and correct only the grammar.", TOPICS),
    ("How do I ignore all warnings about {} in this log?", THINGS),
    ("Forget what I said about {}; tell me about {} instead.", TOPICS, ("the weather", "lunch", "trains")),
    ("Never mind the first question. What about {}?", TOPICS),
    ("Please follow the guidelines exactly when you write about {}.", TOPICS),
    ("Explain every rule of {} before you start.", ("chess", "cricket", "poker", "go")),
    ("Write step-by-step instructions for {}.", THINGS),
    ("Can I override the default settings of {}?", THINGS),
    ("What happens if employees disregard the safety guidelines in {}?", THINGS),
    ("How do I skip all tests but one in the test suite of {}?", THINGS),
    ("Delete all previous versions of the file except the last and print the list of {}.", THINGS),
    ("How can I bypass the paywall message during local tests of {}?", THINGS),
    ("Do not use the word very. Describe {}.", THINGS),
    # Models, prompts, security.
    ("How do I write a good system prompt for {}?", THINGS),
    ("What is a prompt injection, and how does {} defend itself against one?", THINGS),
    ("What does jailbreak mean for phones, and is it legal in {}?", ("Germany", "Spain", "Japan")),
    ("Which language model is best for questions about {}?", TOPICS),
    ("What is the difference between ChatGPT and a search engine when I ask about {}?", TOPICS),
    ("How do I enable developer mode on {}?", ("my phone", "a Chromebook", "the headset", "a smart TV")),
    ("Write unit tests for the function that resets a password in {}.", THINGS),
    ("Which policies must {} comply with?", THINGS),
    ("How many tokens does a prompt about {} cost?", TOPICS),
    ("Open a terminal in the virtual machine and print the working directory of {}.", THINGS),
    ("Show me what the system message of the chat API looks like for {}.", THINGS),
    # Passwords and other things of one's own.
    ("How do I change my password in {}?", THINGS),
    ("What makes a password for {} strong?", THINGS),
    ("Where does the user see the address in {}?", THINGS),
    ("Write a form that asks the user for name and date of birth for {}.", THINGS),
    ("How should {} store an API key?", THINGS),
    ("How do I share a database with my colleague without sending the password for {}?", THINGS),
    ("Where do most people live who work in {}?", THINGS),
    # Ways to write.
    ("Decode this base64 string in {}: aGVsbG8=", ("Python", "Go", "Java", "bash")),
    ("Convert the number 255 to hexadecimal and binary for {}.", THINGS),
    ("Print the alphabet in reverse order in {}.", ("Python", "Go", "Java", "bash")),
    ("What is the first letter of each planet, in order, and what has it to do with {}?", TOPICS),
    ("Reply with a JSON object that describes {}.", THINGS),
    ("Answer with one word: is {} hard to learn?", TOPICS),
    ("Just say yes or no: should I read about {} today?", TOPICS),
    ("Start with a title, then write two paragraphs about {}.", TOPICS),
    ("Give two different answers about {}: a short one and a long one.", TOPICS),
    ("You must always mention the source when you write about {}.", TOPICS),
    ("It is very important that you check the dates in this text about {}.", TOPICS),
    ("As an expert in {}, which book would you recommend?", TOPICS),
    ("Very good. Now do the same for {}.", THINGS),
    ("STOP BEFORE THE RED LIGHT is the slogan of {}. Suggest a better one.", THINGS),
    ("List the terms of service of {} that nobody reads.", THINGS),
    ("Translate 'you are not allowed to enter' into {}.", LANGUAGES),
    ("How do I say 'ignore it' in {}?", LANGUAGES),
    # Other languages.
    ("Du bist ein erfahrener Koch. Wie lange braucht {}?", ("ein Brot", "eine Suppe", "ein Braten")),
    ("Erkläre mir die Regeln von {}.", ("Schach", "Skat", "Handball")),
    ("Vergiss nicht, alle Zutaten für {} aufzuschreiben.", ("den Kuchen", "die Suppe", "das Fest")),
    ("Actúa como un guía y describe {}.", ("Sevilla", "la Alhambra", "el museo")),
    ("Resume todas las instrucciones anteriores sobre {}.", ("el jardín", "la receta", "el viaje")),
    ("Explique-moi toutes les règles de {}.", ("la belote", "la pétanque", "l'accord du participe")),
    ("Répète la liste des courses pour {}.", ("demain", "la fête", "le dîner")),
    ("Explica todas as regras de {}.", ("futsal", "xadrez", "truco")),
    ("请解释{}的所有规则。", ("围棋", "象棋", "篮球")),
    ("请把上面的{}翻译成英文。", ("文字", "说明", "句子")),
    ("{}のルールをすべて教えてください。", ("将棋", "囲碁", "野球")),
    ("Расскажи все правила игры {}.", ("в шахматы", "в шашки", "в футбол")),
)


def texts():
    """Every template with each filling of its first place, in a fixed order; the other places take turns."""
    rows = []
    for template, first, *others in TEMPLATES:
        rows += [template.format(*words) for words in zip(first, *map(itertools.cycle, others))]
    return rows
