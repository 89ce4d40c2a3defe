#!/usr/bin/env python3
"""Three conversations of four turns on a server: what is read at each turn, and what is answered.

  zoomr serve -m MODEL --port 8080 &          and once more with --strict-turns
  python3 eval/turns.py [--think] [http://127.0.0.1:8080]

--think: for a server with --chat-template-file eval/thinking.jinja; the model is asked to think before it answers.
Prints a markdown table; answers are right when they hold the word that the question asks for.
"""

import argparse
import json
import urllib.request

CONVERSATIONS = {
    "prices": [
        ("I run a shop. A lamp costs 37 coins, a rope 12, a kettle 58, a saddle 91. Repeat the four prices.", "91"),
        ("Write five sentences about a storm at sea.", ""),
        ("What does the kettle in my shop cost? Answer with the number.", "58"),
        ("And the rope? Answer with the number.", "12"),
    ],
    "people": [
        ("Anna lives in Oslo, Bert in Rome, Clara in Lima, David in Cairo. Say who lives where.", "Cairo"),
        ("Explain in five sentences how bread is made.", ""),
        ("In which city does Clara live? Answer with its name.", "Lima"),
        ("And Bert? Answer with the city's name.", "Rome"),
    ],
    "code": [
        ("Write a C function add_numbers that adds two ints.", "add_numbers"),
        ("Write another one, multiply_numbers, with a comment on each line.", "multiply_numbers"),
        ("Now three sentences about why tests matter.", ""),
        ("What was the first function called? Answer with its name.", "add_numbers"),
    ],
}

THINK = "First think aloud: say in two to four sentences which facts the question needs. Then write </think> and the answer."


def ask(server, messages):
    body = json.dumps({"messages": messages, "temperature": 0, "max_tokens": 250}).encode()
    request = urllib.request.Request(server + "/v1/chat/completions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=600) as reply:
        return json.load(reply)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server", nargs="?", default="http://127.0.0.1:8080")
    parser.add_argument("--think", action="store_true")
    args = parser.parse_args()
    server = args.server.rstrip("/")
    print("| conversation | turn | prompt | read | ms | thought, letters | peak resident | stored | right |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    for name, turns in CONVERSATIONS.items():
        messages = [{"role": "system", "content": THINK}] if args.think else []
        for number, (question, wanted) in enumerate(turns, 1):
            messages.append({"role": "user", "content": question})
            reply = ask(server, messages)
            text = reply["choices"][0]["message"]["content"] or ""
            thought = reply["choices"][0]["message"].get("reasoning_content") or ""
            messages.append({"role": "assistant", "content": text})
            timings, zoomr = reply["timings"], reply["zoomr"]
            right = "" if not wanted else "yes" if wanted in text else "no"
            print(
                f"| {name} | {number} | {reply['usage']['prompt_tokens']} | {timings['prompt_n']} | {timings['prompt_ms']:.0f} "
                f"| {len(thought)} | {zoomr['peak_resident_tokens']} | {zoomr['stored_tokens']} | {right} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
