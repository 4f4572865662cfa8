/**
 * The first step of the page. The server writes this script into index.html, so it arrives with the page or not at all.
 *
 * It watches whether all scripts and style sheets arrive, because no browser fetches a failed module again. If one is missing, it
 * shows the reason, and reloads the page as soon as the server has the whole page. A classic script, because modules can fail.
 */
(() => {
  /** Seconds between two attempts: a random part of a limit that doubles from the first number to the second. */
  const PAUSE = [0.5, 5];
  /** Seconds without a new file, and without a wall, after which the page counts as stuck. Any file takes less at 100 kbit/s. */
  const STALLED = 30;
  /** The most milliseconds until the head of an answer. A body may take longer. */
  const TIMEOUT = 5000;
  /** The texts of this script. All other texts are in text/words.js, which may fail to load. */
  const TEXTS = {
    en: {
      notRunning: "This wall is not running",
      tryingAgain: "{reason}, trying again",
      missing: "a file of the page did not arrive",
      noAnswer: "the server does not answer",
      refused: "the server answers {status} for {path}",
      foreignPage: "the answer is not streamd's page: a proxy or a login may be in between",
      foreignFile: "a file is not streamd's: a proxy or a login may be in between",
      olderPage: "a proxy hands out an older page",
    },
    de: {
      notRunning: "Diese Wand läuft nicht",
      tryingAgain: "{reason}, neuer Versuch läuft",
      missing: "eine Datei der Seite kam nicht an",
      noAnswer: "der Server antwortet nicht",
      refused: "der Server antwortet {status} auf {path}",
      foreignPage: "die Antwort ist nicht streamds Seite: vielleicht antwortet ein Proxy oder eine Anmeldung",
      foreignFile: "eine Datei ist nicht von streamd: vielleicht antwortet ein Proxy oder eine Anmeldung",
      olderPage: "ein Proxy liefert eine ältere Seite",
    },
    fr: {
      notRunning: "Ce mur ne fonctionne pas",
      tryingAgain: "{reason}, nouvel essai en cours",
      missing: "un fichier de la page n'est pas arrivé",
      noAnswer: "le serveur ne répond pas",
      refused: "le serveur répond {status} pour {path}",
      foreignPage: "la réponse n'est pas la page de streamd : un proxy ou une page de connexion répond peut-être",
      foreignFile: "un fichier n'est pas de streamd : un proxy ou une page de connexion répond peut-être",
      olderPage: "un proxy fournit une page plus ancienne",
    },
  };
  /** The language that the server is configured for, or else the browser's. */
  const language = (document.querySelector("meta[name=language]")?.getAttribute("content") || navigator.language).split("-")[0];

  /**
   * A text in the language of the page.
   * @param {string} key  in TEXTS
   * @param {Record<string, any>} [parts]  for the names in braces
   * @returns {string}
   */
  function text(key, parts = {}) {
    const texts = Object.hasOwn(TEXTS, language) ? TEXTS[language] : TEXTS.en;
    return texts[key].replace(/\{(\w+)\}/g, (_, name) => String(parts[name]));
  }

  /** A build as the server writes it. A page without a build is not streamd's: a portal, a login or a maintenance page. */
  const BUILD = /^[0-9a-f]{16}$/;
  const { location } = document;

  // With a user and a password in its address, a page may fetch nothing relative to that address.
  const { username, password } = new URL(document.baseURI);
  if (username || password) {
    const base = document.createElement("base");
    base.href = plain(new URL(".", location.href));
    document.head.append(base);
  }

  /** An address without a user, a password and a fragment. @param {string|URL} url @returns {string} */
  function plain(url) {
    const address = new URL(url);
    address.username = address.password = address.hash = "";
    return address.href;
  }

  /** Fetch past the browser's cache, body included. */
  async function fetchWhole(url) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), TIMEOUT);
    const answer = await fetch(url, { cache: "reload", signal: abort.signal }).catch(() => null);
    clearTimeout(timer);
    if (!answer) throw new Error(text("noAnswer"));
    const body = await answer.text();
    if (!answer.ok) throw new Error(messageOf(body) ?? text("refused", { status: answer.status, path: new URL(answer.url).pathname }));
    return { body, type: answer.headers.get("Content-Type") ?? "" };
  }

  /** The message of an error of streamd; undefined: the answer is not streamd's. */
  function messageOf(body) {
    try {
      return JSON.parse(body).error.message;
    } catch {
      return undefined;
    }
  }

  /**
   * Fetch all files of the page as the server has it now.
   * @param {string} [wanted]  the build that it must have: a proxy may still hand out the old one
   * @throws {Error}  if a file does not arrive, or is not streamd's
   */
  async function fetchPage(wanted) {
    const { body } = await fetchWhole(plain(location.href));
    const page = new DOMParser().parseFromString(body, "text/html");
    const build = page.querySelector("meta[name=build]")?.getAttribute("content") ?? "";
    if (!BUILD.test(build)) throw new Error(text("foreignPage"));
    if (wanted && build !== wanted) throw new Error(text("olderPage"));
    // Without its typeface the page works, and a slow line should not wait for it.
    const links = [...page.querySelectorAll("link[href]:not([as=font]), script[src]")].map((each) => each.getAttribute("href") ?? each.getAttribute("src") ?? "");
    const files = await Promise.all(links.map((link) => fetchWhole(link)));
    if (files.some(({ type }) => type.startsWith("text/html"))) throw new Error(text("foreignFile"));
  }
  // The renewal of a running page has the same rules, and no module can be imported here.
  /** @type {any} */ (globalThis).fetchPage = fetchPage;

  let trying = false;

  /** Reload as soon as the whole page has been fetched. */
  async function retry() {
    if (trying) return;
    trying = true;
    // The count survives a reload. The storage may be blocked, the history's state never is.
    let attempts = history.state?.attempts ?? 0;
    for (;;) {
      const limit = Math.min(PAUSE[1], PAUSE[0] * 2 ** Math.min(++attempts, 30));
      await new Promise((resolve) => setTimeout(resolve, limit * (1 + Math.random()) * 500));
      try {
        await fetchPage();
        history.replaceState({ ...history.state, attempts }, "");
        return location.reload();
      } catch (error) {
        say(error.message);
      }
    }
  }

  /** Show that the page does not run, and why it is loaded again. @param {string} reason */
  function say(reason) {
    const [lost, lasting] = ["lost", "lasting"].map((id) => document.getElementById(id));
    if (runs() || !lost || !lasting) return;
    lost.textContent = text("notRunning");
    lasting.textContent = text("tryingAgain", { reason });
  }

  function missing() {
    say(text("missing"));
    void retry();
  }

  function runs() {
    return document.documentElement.hasAttribute("data-running");
  }

  // Errors of files do not bubble, so they are heard on their way down. A script fails if any module that it imports is missing.
  addEventListener("error", ({ target }) => {
    if (target instanceof HTMLScriptElement || (target instanceof HTMLLinkElement && target.as !== "font")) missing();
  }, true);
  // Chromium calls it no error if a portal answers with HTML for a style sheet.
  addEventListener("load", () => {
    const sheets = /** @type {NodeListOf<HTMLLinkElement>} */ (document.querySelectorAll("link[rel=stylesheet]"));
    if ([...sheets].some(({ sheet }) => !sheet?.cssRules.length)) missing();
  });
  let arrived = -1;
  const watch = setInterval(() => {
    const files = performance.getEntriesByType("resource").length;
    if (runs()) clearInterval(watch);
    else if (files === arrived) void retry();
    arrived = files;
  }, STALLED * 1000);
})();
