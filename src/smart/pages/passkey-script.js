// Runs in the browser: asks it for a passkey when such a form is sent, puts the answer into the form, and sends it on.
// Where the browser knows no passkeys, or runs no scripts, the forms stay hidden and the pages work without.

/** Challenges are good for five minutes; past this the page is asked for anew. */
const oldMs = 4.5 * 60_000

const words = {
  NotAllowedError: 'Nothing was chosen, or it took too long.',
  InvalidStateError: 'This device has a passkey for this account already.',
  SecurityError: 'Passkeys for this server do not work at the address that you opened it by.',
}

function toBytes(text) {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), letter => letter.charCodeAt(0))
}

function toText(buffer) {
  const letters = Array.from(new Uint8Array(buffer), byte => String.fromCharCode(byte)).join('')
  return btoa(letters).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

const ceremonies = {
  async get(options) {
    const publicKey = { ...options, challenge: toBytes(options.challenge) }
    const { id, response } = await navigator.credentials.get({ publicKey })
    return { id, parts: response, names: ['clientDataJSON', 'authenticatorData', 'signature', 'userHandle'] }
  },

  async create(options) {
    const publicKey = {
      ...options,
      challenge: toBytes(options.challenge),
      user: { ...options.user, id: toBytes(options.user.id) },
      excludeCredentials: options.excludeCredentials.map(each => ({ ...each, id: toBytes(each.id) })),
    }
    const { id, response } = await navigator.credentials.create({ publicKey })
    return { id, parts: response, names: ['clientDataJSON', 'attestationObject'] }
  },
}

async function fill(form) {
  const { id, parts, names } = await ceremonies[form.dataset.passkey](JSON.parse(form.dataset.options))
  const given = names.filter(name => parts[name])
  const response = Object.fromEntries(given.map(name => [name, toText(parts[name])]))
  form.elements.namedItem('response').value = JSON.stringify({ id, ...response })
}

function prepare(form, bornMs) {
  const fault = form.querySelector('[data-fault]')
  const button = form.querySelector('button')
  form.addEventListener('submit', async event => {
    event.preventDefault()
    if (form.dataset.again !== undefined && performance.now() - bornMs > oldMs) {
      location.assign(form.dataset.again)
      return
    }
    fault.hidden = true
    button.disabled = true
    try {
      await fill(form)
      // Sent without this listener being asked again.
      form.submit()
    } catch (error) {
      fault.textContent = words[error.name] ?? 'This browser could not do it.'
      fault.hidden = false
    } finally {
      button.disabled = false
    }
  })
  form.hidden = false
}

if (window.isSecureContext && window.PublicKeyCredential !== undefined) {
  const bornMs = performance.now()
  for (const form of document.querySelectorAll('form[data-passkey]')) prepare(form, bornMs)
  for (const note of document.querySelectorAll('[data-without-passkeys]')) note.hidden = true
}
