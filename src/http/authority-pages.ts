import { html, pageResponse, type WebResponse, type WebRoute } from '#web'

/** An authority that devices may trust. */
export interface TrustedAuthority {
  /** PEM. */
  readonly cert: string
  /** SHA-256 in hexadecimal pairs. */
  readonly fingerprint: string
}

function page({ fingerprint }: TrustedAuthority): WebResponse {
  return pageResponse({
    title: 'Trust this server',
    content: html`
<p>This server makes its own certificates. Once a device trusts the authority behind them, browsers and apps on it connect without
warnings. The authority can only speak for this server's names and for addresses in private networks: for no other site.</p>
<p class="note">First compare: the server's terminal shows the same fingerprint (<code>kinhold certificate</code>). If a single pair is
another one, somebody stands between you and the server: stop here.</p>
<p><code>${fingerprint}</code></p>
<p><a href="/ca.crt">Download the certificate</a></p>
<h2>iPhone and iPad</h2>
<ol><li>Open this page in Safari, tap the download above and allow it.</li>
<li>Settings → Profile Downloaded → Install. Compare the fingerprint under More Details.</li>
<li>Settings → General → About → Certificate Trust Settings: switch this certificate on. Until then nothing trusts it.</li></ol>
<h2>Android</h2>
<ol><li>Download the certificate.</li>
<li>Settings → Security → More → Install a certificate → CA certificate. Browsers then trust it; other apps only if their makers allow it.</li></ol>
<h2>Mac, Windows, Linux</h2>
<ul><li>Mac: open the file, find it in Keychain Access, and set it to Always Trust.</li>
<li>Windows: open the file, Install Certificate → Local Machine → Trusted Root Certification Authorities.</li>
<li>Linux: as <code>/usr/local/share/ca-certificates/kinhold.crt</code>, then <code>update-ca-certificates</code>; Firefox has a list of its own.</li></ul>
<p class="quiet">To stop trusting it, remove the profile or certificate in the same place.</p>`,
  })
}

/** The authority, for whoever comes with a phone: a page in plain words, and the certificate that systems take in. */
export function authorityRoutes(authority: TrustedAuthority): readonly WebRoute[] {
  const common = { method: 'GET', readers: 'nobody', access: 'nothing' } as const
  const told = page(authority)
  return [
    {
      ...common,
      path: '/ca',
      summary: "How a device comes to trust the server's own authority",
      answers: 'text/html',
      handler: async () => told,
    },
    {
      ...common,
      path: '/ca.crt',
      summary: "The certificate of the server's own authority",
      answers: 'application/x-x509-ca-cert',
      handler: async () => ({
        status: 200,
        headers: {
          'Content-Type': 'application/x-x509-ca-cert',
          'Cache-Control': 'no-store',
        },
        body: authority.cert,
      }),
    },
  ]
}
