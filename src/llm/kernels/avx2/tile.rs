//! The tile of both kernels for 256-bit vectors: some rows times some quarters of a panel. It is a macro because a
//! function with target features is inlined only into functions with the same features.
//!
//! Must add up in the order that [`super::super::tile`] defines.
//!
//! The module that uses it defines `begin` (the initial value of dot products), `step` (adds products), `end` (gives
//! the sums in 32 bits), `SPLIT` (8-bit codes are multiplied as an upper and a lower half) and `halves` (gives these
//! halves, or the codes as they are).

macro_rules! tiles {
    ($features:literal) => {
        /// `R` rows times a stretch, `Q` quarters of it at a time; `WIDE` of codes of 8 bits.
        ///
        /// # Safety
        /// The machine has the instructions; `rows` is what its type says, for all groups of the stretch.
        #[target_feature(enable = $features)]
        #[allow(unsafe_code, reason = "hands on what the caller promises")]
        pub(super) unsafe fn of_format<const R: usize, const Q: usize, const WIDE: usize>(
            stretch: &Stretch<'_>,
            rows: &Rows,
        ) {
            let f = &stretch.weights.format;
            // SAFETY: what the caller promises; the parameters are those of the format, and of how the stretch lies.
            unsafe {
                if stretch.is_unpacked() {
                    return match (f.bits, f.scales, f.min) {
                        (4, 1, false) => tile::<R, Q, 4, 1, false, false, true>(stretch, rows),
                        (4, 1, true) => tile::<R, Q, 4, 1, true, false, true>(stretch, rows),
                        (5, 1, false) => tile::<R, Q, 5, 1, false, false, true>(stretch, rows),
                        (5, 1, true) => tile::<R, Q, 5, 1, true, false, true>(stretch, rows),
                        (4, _, false) => tile::<R, Q, 4, 2, false, false, true>(stretch, rows),
                        (4, _, true) => tile::<R, Q, 4, 2, true, false, true>(stretch, rows),
                        _ => tile::<R, Q, 6, 2, false, false, true>(stretch, rows),
                    };
                }
                match (f.bits, f.scales, f.min, f.nested) {
                    (4, 1, false, false) => tile::<R, Q, 4, 1, false, false, false>(stretch, rows),
                    (4, 1, true, false) => tile::<R, Q, 4, 1, true, false, false>(stretch, rows),
                    (5, 1, false, false) => tile::<R, Q, 5, 1, false, false, false>(stretch, rows),
                    (5, 1, true, false) => tile::<R, Q, 5, 1, true, false, false>(stretch, rows),
                    (4, 1, true, true) => tile::<R, Q, 4, 1, true, true, false>(stretch, rows),
                    (5, 1, true, true) => tile::<R, Q, 5, 1, true, true, false>(stretch, rows),
                    (4, 2, true, true) => tile::<R, Q, 4, 2, true, true, false>(stretch, rows),
                    (4, 2, false, true) => tile::<R, Q, 4, 2, false, true, false>(stretch, rows),
                    (6, 2, false, true) => tile::<R, Q, 6, 2, false, true, false>(stretch, rows),
                    _ => tile::<R, WIDE, 8, 1, false, false, false>(stretch, rows),
                }
            }
        }

        /// # Safety
        /// As for [`of_format`].
        #[inline(never)]
        #[target_feature(enable = $features)]
        #[allow(unsafe_code, reason = "vector loads and stores without bounds checks in the innermost loop")]
        unsafe fn tile<
            const R: usize,
            const Q: usize,
            const BITS: usize,
            const SCALES: usize,
            const MIN: bool,
            const NESTED: bool,
            const PLAIN: bool,
        >(
            stretch: &Stretch<'_>,
            rows: &Rows,
        ) {
            assert!(MIN || stretch.weights.format.offset == 1 << const { log_offset(BITS, SCALES) });
            // SAFETY: what the caller promises.
            unsafe {
                let rests = rows.rests(0);
                for quarter in (0..4).step_by(Q) {
                    let mut sum = [[_mm256_setzero_ps(); Q]; R];
                    let place = |r: usize, q: usize| rows.sums.add(r * rows.stride + (quarter + q) * 8);
                    if !rows.fresh {
                        for r in 0..R {
                            for q in 0..Q {
                                sum[r][q] = _mm256_loadu_ps(place(r, q));
                            }
                        }
                    }
                    for g in 0..stretch.groups {
                        let group = stretch.group::<BITS, SCALES, MIN, NESTED, PLAIN>(g);
                        let x = (rows.words.add(g * RECORD * R), rows.starts.add(g * STARTS * R));
                        let mass = Some(|r: usize, sub: usize| rows.mass::<R, SCALES>(g, r, sub));
                        products::<R, Q, BITS, SCALES, MIN, NESTED, PLAIN>((group, quarter), x, mass, &mut sum);
                    }
                    if !rests.is_empty() {
                        let rests = (rests, rows.first);
                        add_rests::<R, Q, BITS, SCALES, MIN, NESTED, PLAIN>((stretch, quarter), rests, &mut sum);
                    }
                    for r in 0..R {
                        for q in 0..Q {
                            _mm256_storeu_ps(place(r, q), sum[r][q]);
                        }
                    }
                }
            }
        }

        /// Adds the products with the codes of a group: `x` is its record of the rows and `starts` what goes with it.
        /// `mass` gives, for a row and one of the group's scales, the factor of the minimum; rests have none.
        ///
        /// # Safety
        /// As for [`of_format`]; `x` and `starts` point to what they say.
        #[inline]
        #[target_feature(enable = $features)]
        #[allow(unsafe_code, reason = "vector loads and reads through pointers")]
        unsafe fn products<
            const R: usize,
            const Q: usize,
            const BITS: usize,
            const SCALES: usize,
            const MIN: bool,
            const NESTED: bool,
            const PLAIN: bool,
        >(
            (group, quarter): (Group, usize),
            (x, starts): (*const u32, *const u32),
            mass: Option<impl Fn(usize, usize) -> f32>,
            sum: &mut [[__m256; Q]; R],
        ) {
            // With minima, half of the products of 5-bit codes is what fits 16 bits.
            let twice = SPLIT && MIN && BITS == 5;
            for sub in 0..SCALES {
                // SAFETY: what the caller promises.
                unsafe {
                    let mut dot = [[_mm256_setzero_si256(); Q]; R];
                    let mut low = [[_mm256_setzero_si256(); Q]; R];
                    let mut first = [[_mm256_setzero_si256(); Q]; R];
                    // Types with minima have no offset.
                    for r in 0..if MIN { 0 } else { R } {
                        dot[r] = [begin::<R, BITS, SCALES>(x.add(r), starts.add(r), sub); Q];
                    }
                    // One by one, since shifts must be by constants.
                    macro_rules! steps {
                        ($s:literal) => {
                            if (sub * 8 / SCALES..(sub + 1) * 8 / SCALES).contains(&$s) {
                                let mut weights = [[_mm256_setzero_si256(); 2]; Q];
                                for q in 0..Q {
                                    weights[q] = halves::<BITS>(group.codes::<BITS, PLAIN, $s>(quarter + q));
                                }
                                for r in 0..R {
                                    let four = _mm256_set1_epi32(x.add($s * R + r).cast::<i32>().read());
                                    for q in 0..Q {
                                        dot[r][q] = step(dot[r][q], weights[q][0], four);
                                        if SPLIT && BITS == 8 {
                                            low[r][q] = step(low[r][q], weights[q][1], four);
                                        }
                                    }
                                }
                            }
                        };
                    }
                    steps!(0);
                    steps!(1);
                    steps!(2);
                    steps!(3);
                    if twice {
                        for r in 0..R {
                            for q in 0..Q {
                                first[r][q] = end::<BITS>(dot[r][q], low[r][q]);
                                dot[r][q] = _mm256_setzero_si256();
                            }
                        }
                    }
                    steps!(4);
                    steps!(5);
                    steps!(6);
                    steps!(7);
                    let mut scales = [_mm256_setzero_ps(); Q];
                    for q in 0..Q {
                        scales[q] = group.scales::<NESTED, PLAIN>(sub, quarter + q);
                    }
                    for r in 0..R {
                        let of_row = _mm256_set1_ps(x.add(SCALE * R + r).cast::<f32>().read());
                        for q in 0..Q {
                            let dot = end::<BITS>(dot[r][q], low[r][q]);
                            let dot = if twice { _mm256_add_epi32(dot, first[r][q]) } else { dot };
                            let factor = _mm256_mul_ps(scales[q], of_row);
                            sum[r][q] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), factor, sum[r][q]);
                        }
                    }
                    if MIN && let Some(mass) = &mass {
                        let mut mins = [_mm256_setzero_ps(); Q];
                        for q in 0..Q {
                            mins[q] = group.mins::<NESTED, PLAIN>(sub, quarter + q);
                        }
                        for r in 0..R {
                            let mass = _mm256_set1_ps(mass(r, sub));
                            for q in 0..Q {
                                sum[r][q] = _mm256_fmadd_ps(mins[q], mass, sum[r][q]);
                            }
                        }
                    }
                }
            }
        }

        /// Adds the products with the rests of the stretch.
        ///
        /// # Safety
        /// As for [`of_format`].
        #[inline(never)]
        #[target_feature(enable = $features)]
        #[allow(unsafe_code, reason = "hands on what the caller promises")]
        unsafe fn add_rests<
            const R: usize,
            const Q: usize,
            const BITS: usize,
            const SCALES: usize,
            const MIN: bool,
            const NESTED: bool,
            const PLAIN: bool,
        >(
            (stretch, quarter): (&Stretch<'_>, usize),
            (rests, first): (&[Rest], usize),
            sum: &mut [[__m256; Q]; R],
        ) {
            for rest in rests {
                let group = stretch.group::<BITS, SCALES, MIN, NESTED, PLAIN>(rest.group as usize - first);
                // A rest begins like the record of one row.
                let (x, starts) = (std::ptr::from_ref(rest).cast(), rest.starts.as_ptr().cast());
                let sum = std::array::from_mut(&mut sum[rest.row as usize]);
                let none = None::<fn(usize, usize) -> f32>;
                // SAFETY: what the caller promises.
                unsafe {
                    products::<1, Q, BITS, SCALES, MIN, NESTED, PLAIN>((group, quarter), (x, starts), none, sum);
                }
            }
        }
    };
}
pub(super) use tiles;
