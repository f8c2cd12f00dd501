import { isPublicUrl, networkOf } from '#web'
import { isKeySetUrl } from '../../../src/smart/clients/urls.ts'
import { challengeOf, isVerifierOf } from '../../../src/smart/token/pkce.ts'

describe('RFC 7636 PKCE – https://www.rfc-editor.org/rfc/rfc7636#appendix-B', () => {
  it.each([
    ['dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk', 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'],
    // the example of the SMART App Launch guide
    [
      'o28xyrYY7-lGYfnKwRjHEZWlFIPlzVnFPYMWbH-g_BsNnQNem-IAg9fDh92X0KtvHCPO5_C-RJd2QhApKQ-2cRp-S_W3qmTidTEPkeWyniKQSF9Q_k10Q5wMc8fGzoyF',
      'YPXe7B8ghKrj8PsT4L6ltupgI12NQJ5vblB07F4rGaw',
    ],
  ])('derives the published challenge of %s', (verifier, challenge) => {
    expect(challengeOf(verifier)).toBe(challenge)
    expect(isVerifierOf(verifier, challenge)).toBe(true)
    expect(isVerifierOf(challenge, challenge)).toBe(false)
    expect(isVerifierOf('', challenge)).toBe(false)
    expect(isVerifierOf(`${verifier} `, challenge)).toBe(false)
  })
})

describe('A58: what an address is counted under', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:0DB8:0001:0002::9', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
    ['2001:db8:1:2::ffff:192.0.2.7', '2001:db8:1:2'],
    ['::FFFF:C000:0207', '192.0.2.7'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['', ''],
  ])('%s counts as %s', (address, network) => {
    expect(networkOf(address)).toBe(network)
  })
})

describe('A56: other addresses in registrations', () => {
  it.each([
    'http://app.example/logo.png',
    'https://10.0.0.1/logo.png',
    'https://0x7f.1/logo.png',
    'https://[fd00::1]/logo.png',
    'https://localhost/logo.png',
    'https://printer/logo.png',
    'https://nas.local/logo.png',
    'https://metadata.internal/logo.png',
    'https://metadata.internal./logo.png',
    'javascript:alert(1)',
  ])('does not name people an address like %s', url => {
    expect(isPublicUrl(url)).toBe(false)
    expect(isPublicUrl('https://app.example.com/logo.png')).toBe(true)
  })

  it('fetches keys from public https or the machine itself', () => {
    expect(isKeySetUrl('https://app.example.com/jwks')).toBe(true)
    expect(isKeySetUrl('http://127.0.0.1:5000/jwks')).toBe(true)
    expect(isKeySetUrl('http://app.example.com/jwks')).toBe(false)
    expect(isKeySetUrl('https://169.254.169.254/latest/meta-data')).toBe(false)
  })
})
