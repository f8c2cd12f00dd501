import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const executablePath = process.env.KINHOLD_TEST_CHROMIUM ?? '/usr/bin/chromium'

export const hasBrowser = existsSync(executablePath)

/** Chromium, as it is installed here. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
}

/** Where there is no browser the test says so on standard error; with KINHOLD_TEST_BROWSER=required it fails. */
export function inBrowser(work: () => Promise<void>): () => Promise<void> {
  return async () => {
    if (hasBrowser) return work()
    expect(process.env.KINHOLD_TEST_BROWSER).not.toBe('required')
    process.stderr.write(
      `\n!!! NOT TRIED IN A BROWSER: ${expect.getState().currentTestName}\n!!! there is no ${executablePath}; ` +
        'install Chromium or name one in KINHOLD_TEST_CHROMIUM\n\n',
    )
  }
}
