// Under the form of a rule that is being edited: what the rule would have done, by the server's preview, repeated
// some time after each change. The button of the form does the same without JavaScript.

const PAUSE = 800; // ms
const BUSY_FOR = 5_000;

for (const form of document.querySelectorAll(".rule-form")) {
  const button = form.querySelector("[formaction$=preview]");
  const shown = document.createElement("div");
  shown.className = "preview";
  shown.setAttribute("role", "status");
  button.after(shown);
  let timer = 0;
  let newest = 0;

  async function preview() {
    const number = ++newest;
    const answer = await fetch(button.formAction, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    if (number !== newest) return;
    if (answer.status === 429) {
      timer = setTimeout(preview, BUSY_FOR);
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.querySelector("#preview, main > .error");
    shown.replaceChildren(...(found ? found.childNodes : []));
  }

  form.addEventListener("input", () => {
    clearTimeout(timer);
    newest += 1;
    timer = setTimeout(() => preview().catch(() => shown.replaceChildren()), PAUSE);
  });
}
